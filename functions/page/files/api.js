import { token } from './session.js';

/** What went wrong, in words for the person at the page. */
export class ApiError extends Error {
  /** @param status HTTP status; 0 where no answer came at all. */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the same may work in a while. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const noAnswer = 'No answer from the server. Is it up, and are you online?';

let signedOut = () => undefined;
/** @param listener is told when the server no longer knows our token. */
export const onSignedOut = (listener) => {
  signedOut = listener;
};

/**
 * Asks the server.
 *
 * @param path relative to the page.
 * @param body sent as JSON.
 * @returns what it answered: JSON, or text.
 * @throws ApiError for any answer that is an error, and for none.
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
 * As `call`, for what takes long enough to be watched.
 *
 * @param onProgress is told how much of the body has gone out, from 0 to 1.
 */
export function send(method, url, { body, headers = {}, toStorage = false }, onProgress) {
  return new Promise((resolve, reject) => {
    // fetch tells nothing about what it has sent so far.
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
  // Which field it was is for programs.
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
