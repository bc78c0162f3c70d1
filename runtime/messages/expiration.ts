import { headerText, headerTime } from '../amqp/header-text.ts';
import { expirationHeader, expiresAtHeader, firstFailedAtHeader } from '../amqp/headers.ts';
import type { ReceivedMessage } from './received.ts';

/**
 * Whether a message that returns from a retry, or that a function has kept, has expired: it carries the time at which the original
 * expires, because an expiration of its own would end it in the retry queue.
 *
 * @param now default the present.
 */
export function isExpired({ headers }: Pick<ReceivedMessage, 'headers'>, now = new Date()): boolean {
  return headerTime(headers[expiresAtHeader]) <= now;
}

/**
 * The time at which a message expires, for the header `expiresAtHeader` of its copy, and for `expiresAt` of another message that goes
 * on with it. A function that keeps a message, for example in a database, keeps this header with it. The broker counts from the
 * arrival in the queue, and a copy is made after that, so that it never expires before its original would have.
 *
 * @param now time of the delivery or of the first failure, default the present.
 * @returns in ISO 8601; undefined if the message never expires.
 */
export function expiryOf({ headers, expiration }: ReceivedMessage, now = new Date()): string | undefined {
  const known = headers[expiresAtHeader];
  // A header that is no time, from another program, ends nothing.
  if (!Number.isNaN(headerTime(known).getTime())) return headerText(known);
  const ms = Number(headerText(headers[expirationHeader]) ?? expiration);
  if (!(ms >= 0) || headers[firstFailedAtHeader] !== undefined) return undefined;
  const at = new Date(now.getTime() + ms);
  // Of a header that another program has written.
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

/**
 * The time at which the caller of a call stops waiting, in milliseconds since 1970: as the client's header specifies, or its
 * expiration from the arrival on, whichever is earlier. Infinity if the caller has no limit.
 *
 * @param headers with the header as text.
 * @param arrivedAt time of the arrival, in milliseconds since 1970.
 */
export function callerDeadline(
  { headers, expiration }: { headers: Readonly<Record<string, unknown>>; expiration?: unknown },
  arrivedAt: number,
): number {
  const said = headerTime(headers[expiresAtHeader]).getTime();
  const ms = expiration === undefined || expiration === null ? Number.NaN : Number(expiration);
  return Math.min(
    Number.isNaN(said) ? Number.POSITIVE_INFINITY : said,
    ms >= 0 ? arrivedAt + ms : Number.POSITIVE_INFINITY,
  );
}
