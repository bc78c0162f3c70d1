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
