import { token } from './session.js';

/** A failed request, with a message for the user of the page. */
export class ApiError extends Error {
  /** @param status HTTP status; 0 if there was no response. */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const noAnswer = 'No answer from the server. Is it up, and are you online?';

let signedOut = () => undefined;
/** @param listener is called when the server rejects our token. */
export const onSignedOut = (listener) => {
  signedOut = listener;
};

/**
 * Sends a request to the server.
 *
 * @param path relative to the page.
 * @param body sent as JSON.
 * @returns the body of the response: JSON or text.
 * @throws ApiError for an error response, or if there is no response.
 */
export async function call(method, path, body, headers = {}) {
  const reply = await fetch(path, {
    method,
    headers: {
      ...authorization(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError(0, noAnswer);
  });
  return read(reply.status, reply.headers.get('content-type'), await reply.text());
}

/**
 * Like `call`, with progress, for large bodies.
 *
 * @param onProgress is called with the fraction of the body that was sent, from 0 to 1.
 */
export function send(method, url, { body, headers = {}, toStorage = false }, onProgress) {
  return new Promise((resolve, reject) => {
    // fetch does not report upload progress.
    const request = new XMLHttpRequest();
    request.open(method, url);
    const all = { ...(!toStorage && authorization()), ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new ApiError(0, toStorage ? 'The storage does not answer.' : noAnswer));
    request.onload = () => {
      const { status, responseText } = request;
      if (toStorage && status >= 300) {
        reject(new ApiError(status, `The storage refused the picture (${status}).`));
        return;
      }
      try {
        resolve(read(status, request.getResponseHeader('content-type'), responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(body);
  });
}

function authorization() {
  const value = token();
  return value ? { authorization: `Bearer ${value}` } : {};
}

function read(status, type, text) {
  const body = /json/.test(type ?? '') ? parse(text) : text;
  if (status < 400) return body;
  // RFC 9457.
  const { title = `The server answered ${status}`, detail = '' } = body ?? {};
  // The field name at the start is for programs.
  const words = detail.replace(/^[\w-]+: /, '').replace(/^./, (first) => first.toUpperCase());
  const error = new ApiError(status, words ? `${title}. ${words}.` : `${title}.`);
  if (status === 401) signedOut(error);
  throw error;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
