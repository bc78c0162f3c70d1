/** Limits what an HTTP host reads, and refuses the rest: its clients are strangers. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Problem, problemBody } from '../../http/problem.ts';

/** Limits the bytes of all bodies in memory. */
export interface Intake {
  /**
   * Reserves memory for a body before it is read.
   *
   * @returns a function that releases it, once.
   * @throws Problem 503 if there is none: by the time of Retry-After, other requests have been answered.
   */
  take(bytes: number): () => void;
}

const mostBytes = 100_000_000;

/**
 * Bytes that all bodies in memory may have by default. A body is there several times while a function handles it, so that the
 * limit is a tenth of the memory that a container may use.
 *
 * @param memory limit for this process in bytes; 0 if there is none.
 * @returns at most 100000000.
 */
export function defaultIntake(memory = process.constrainedMemory()): number {
  return memory > 0 ? Math.min(mostBytes, Math.floor(memory / 10)) : mostBytes;
}

/** Makes an intake for `max` bytes. */
export function createIntake(max: number): Intake {
  let held = 0;
  return {
    take(bytes) {
      if (held + bytes > max) {
        throw new Problem(503, 'Too much at once', undefined, { 'retry-after': '1' });
      }
      held += bytes;
      let released = false;
      return () => {
        if (!released) held -= bytes;
        released = true;
      };
    },
  };
}

/**
 * The number of bytes that a request announces.
 *
 * @param limit of a single body: a request that announces more is refused unread, and one that announces nothing may be as
 *   large.
 */
export function announcedBytes(headers: Record<string, unknown>, limit: number): number {
  if (headers['transfer-encoding'] !== undefined) return limit;
  const bytes = Number(headers['content-length'] ?? 0);
  return bytes <= limit ? bytes : 0;
}

/**
 * Creates the handler for malformed requests. Node passes it only the socket, so the answer is written by hand, including
 * `further` headers.
 */
export function connectionRefuser(further: Readonly<Record<string, string>>) {
  const security = Object.entries(further).map(([name, value]) => `${name}: ${value}`);
  return (error: Error & { code?: string }, socket: Socket): void => {
    const status = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }[error.code ?? ''] ?? 400;
    if (error.code !== 'ECONNRESET' && socket.writable) {
      const title = STATUS_CODES[status] ?? '';
      const body = JSON.stringify(problemBody(new Problem(status, title)));
      const headers = [
        'content-type: application/problem+json',
        `content-length: ${body.length}`,
        ...security,
      ];
      socket.write([`HTTP/1.1 ${status} ${title}`, ...headers, 'connection: close', '', body].join('\r\n'));
    }
    socket.destroy();
  };
}
