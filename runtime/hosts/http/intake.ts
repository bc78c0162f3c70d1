/** Limits what an HTTP host reads, and refuses the rest: its clients are strangers. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Problem, problemBody } from '../../http/problem.ts';

/** A body that has memory reserved. */
export interface ArrivingBody {
  /** Whether all of it has arrived. */
  isComplete(): boolean;
  /** Closes its connection. */
  cut(): void;
}

/** Limits the bytes of all bodies in memory. */
export interface Intake {
  /**
   * Reserves memory for a body before it is read. If there is none, the bodies that have been on their way for longest are cut off:
   * a few clients that send slowly must not keep the others out.
   *
   * @returns a function that releases it, once.
   * @throws Problem 503 if there is none: by the time of Retry-After, other requests have been answered.
   */
  take(bytes: number, body: ArrivingBody): () => void;
}

/**
 * Makes an intake for `max` bytes.
 *
 * @param slowMs milliseconds that a body may be on its way while others need its memory.
 */
export function createIntake(max: number, slowMs: number): Intake {
  let held = 0;
  /** In the order in which they were announced. */
  const taken = new Map<ArrivingBody, { bytes: number; at: number }>();
  const release = (body: ArrivingBody) => {
    held -= taken.get(body)?.bytes ?? 0;
    taken.delete(body);
  };
  const cutSlow = (needed: number) => {
    const before = performance.now() - slowMs;
    for (const [body, { at }] of taken) {
      if (held + needed <= max || at > before) return;
      if (body.isComplete()) continue;
      release(body);
      body.cut();
    }
  };
  return {
    take(bytes, body) {
      if (held + bytes > max) cutSlow(bytes);
      if (held + bytes > max) {
        throw new Problem(503, 'Too much at once', undefined, { 'retry-after': '1' });
      }
      if (bytes === 0) return () => undefined;
      held += bytes;
      taken.set(body, { bytes, at: performance.now() });
      return () => release(body);
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
