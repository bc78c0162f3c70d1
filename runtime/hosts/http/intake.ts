/** Limits what an HTTP host reads, and refuses the rest: its clients are strangers. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Problem, problemBody } from '../../http/problem.ts';

/** A body that has memory reserved. */
export interface ArrivingBody {
  /** Whether it cannot arrive within the time of its request at its pace. */
  isSlow(): boolean;
  /** Closes its connection. */
  cut(): void;
}

/** Limits the bytes of all bodies in memory. */
export interface Intake {
  /**
   * Reserves memory for a body before it is read. If there is none, bodies that arrive too slowly are cut off: a few clients that
   * send next to nothing must not keep the others out.
   *
   * @returns a function that releases it, once.
   * @throws Problem 503 if there is none: by the time of Retry-After, other requests have been answered.
   */
  take(bytes: number, body: ArrivingBody): () => void;
}

/** Makes an intake for `max` bytes. */
export function createIntake(max: number): Intake {
  let held = 0;
  const taken = new Map<ArrivingBody, number>();
  const release = (body: ArrivingBody) => {
    held -= taken.get(body) ?? 0;
    taken.delete(body);
  };
  const cutSlow = (needed: number) => {
    for (const body of taken.keys()) {
      if (held + needed <= max) return;
      if (!body.isSlow()) continue;
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
      taken.set(body, bytes);
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

/** Bytes a second. A body of unknown length that arrives more slowly can be cut off. */
const slowestPace = 500;

/**
 * The body of a request as it arrives. It is slow if, after a sixth of its time or more, less than a quarter of what is due by then
 * has arrived. Nothing is due of a body that announces no length: it is slow if next to nothing arrived for a sixth of the time.
 *
 * @param bytes that it announces, or may have.
 * @param timeoutMs time limit of its request.
 */
export function arrivingBody(request: IncomingMessage, bytes: number, timeoutMs: number): ArrivingBody {
  const { socket } = request;
  const isAnnounced = request.headers['transfer-encoding'] === undefined;
  let [since, readBefore] = [performance.now(), socket.bytesRead];
  return {
    isSlow() {
      const [now, read] = [performance.now(), socket.bytesRead];
      const [ms, arrived] = [now - since, read - readBefore];
      if (request.complete || ms <= timeoutMs / 6) return false;
      if (isAnnounced) return arrived < (bytes * ms) / timeoutMs / 4;
      [since, readBefore] = [now, read];
      return arrived < (slowestPace * ms) / 1000;
    },
    cut: () => void request.destroy(),
  };
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
