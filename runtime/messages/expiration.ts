import { expirationHeader, expiresAtHeader, firstFailedAtHeader } from '../amqp/headers.ts';
import type { ReceivedMessage } from './received.ts';

/**
 * Whether a message that returns from a retry has expired: a copy carries the time at which the original expires, because an
 * expiration of its own would end it in the retry queue.
 */
export function isExpired({ headers }: ReceivedMessage, now: Date): boolean {
  const at = headers[expiresAtHeader];
  return at !== undefined && new Date(String(at)).getTime() <= now.getTime();
}

/**
 * The header of a copy with the time at which its original expires. The broker counts from the arrival in the queue, and the
 * first copy is made at the first failure, so that a copy never expires before its original would have.
 *
 * @returns undefined if the original never expires, or the copy of an earlier failure has the header.
 */
export function expiryOf({ headers, expiration }: ReceivedMessage, now: Date): string | undefined {
  const known = headers[expiresAtHeader];
  if (known !== undefined) return String(known);
  const ms = Number(headers[expirationHeader] ?? expiration);
  if (!(ms >= 0) || headers[firstFailedAtHeader] !== undefined) return undefined;
  return new Date(now.getTime() + ms).toISOString();
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
  const at = headers[expiresAtHeader];
  const said = at === undefined ? Number.NaN : new Date(String(at)).getTime();
  const ms = expiration === undefined || expiration === null ? Number.NaN : Number(expiration);
  return Math.min(
    Number.isNaN(said) ? Number.POSITIVE_INFINITY : said,
    ms >= 0 ? arrivedAt + ms : Number.POSITIVE_INFINITY,
  );
}
