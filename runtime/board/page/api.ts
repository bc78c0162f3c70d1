import { type ApiProblem, boardHeader, type SignIn } from '../api-types.ts';

/** An answer of the board that is an error, or no answer (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly title: string;
  /** How to sign in, if a token is missing. */
  readonly signIn: SignIn | undefined;
  /** Number of dead letters that the board has read so far, if it reads them for the first time. */
  readonly read: number | undefined;

  constructor({ status = 0, title = 'Error', detail, sign_in, read }: Partial<ApiProblem>) {
    super(detail ?? title);
    this.name = 'ApiError';
    this.status = status;
    this.title = title;
    this.signIn = sign_in;
    this.read = read;
  }
}

interface Options {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal | undefined;
  accept?: string;
}

/** The token is only in memory: it may be good at other places than this page. */
let token: string | undefined;
let isExpired = false;
let signedOut = (_signIn: SignIn | undefined): void => undefined;

/** Sends this token with each request from now on. */
export function keepToken(value: string | undefined): void {
  token = value;
  if (value !== undefined) isExpired = false;
}

/** Whether the board has refused the last token: it has expired, or the issuer has changed its keys. */
export const hasExpired = (): boolean => isExpired;

/** Calls the function when an answer reports a missing or expired token. */
export function onSignedOut(listener: (signIn: SignIn | undefined) => void): void {
  signedOut = listener;
}

/** @throws ApiError if the answer is an error, or the board does not answer. */
export async function send(path: string, options: Options = {}): Promise<Response> {
  const { method = 'GET', body, signal, accept = 'application/json' } = options;
  const response = await fetch(path, {
    method,
    headers: {
      accept,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(method !== 'GET' && { [boardHeader]: '1' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new ApiError({ title: 'The board does not answer', detail: 'Is `warren board` still running?' });
  });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<ApiProblem>;
  if (response.status === 401) {
    // Several requests may be refused, and the first refusal discards the token.
    if (token !== undefined) isExpired = true;
    signedOut(problem.sign_in);
  }
  throw new ApiError({ title: response.statusText, ...problem, status: response.status });
}

/** Requests JSON. @throws ApiError */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send(path, { signal })).json() as Promise<T>;
}

/** Posts JSON and returns the answer. @throws ApiError */
export async function post<T>(path: string, body?: unknown): Promise<T> {
  return (await send(path, { method: 'POST', body })).json() as Promise<T>;
}

/** Whether the board has a route: an older one answers 404. */
export async function hasRoute(path: string): Promise<boolean> {
  const stop = new AbortController();
  try {
    await send(path, { signal: stop.signal });
    return true;
  } catch (error) {
    return error instanceof ApiError && error.status !== 404;
  } finally {
    // A stream would go on.
    stop.abort();
  }
}

/** Milliseconds until a stream that ended is opened again. */
const againMs = 2000;

/**
 * Reads server-sent events until the signal, and opens the stream again when it ends. It uses no EventSource, which cannot send
 * a token.
 *
 * @param changed receives undefined while the stream is open, and the error while it is not.
 */
export async function stream<T>(
  path: string,
  received: (data: T) => void,
  changed: (problem: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { body } = await send(path, { accept: 'text/event-stream', signal });
      changed(undefined);
      if (body) await readEvents(body, received);
    } catch (error) {
      if (!signal.aborted) changed(error);
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}

async function readEvents<T>(body: ReadableStream<Uint8Array>, received: (data: T) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) received(JSON.parse(line.slice(5)) as T);
  }
}
