import { isUtf8 } from 'node:buffer';
import { JsonNumber, type Message } from 'warren/functions';
import { textHash } from '../delivery/text-hash.ts';
import type { AlertRoute } from './routes.ts';

/** Excludes control characters and unpaired surrogates, which PostgreSQL does not accept. */
export const dedupKeyPattern = /^[^\p{Cc}\p{Cs}]{1,200}$/u;
export const dedupKeyExpected = 'a text of 1 to 200 printable characters';

/**
 * Returns the key by which an alert is grouped: its header `dedup_key`, else the field of that name in a JSON object, else
 * the routing key if the route specifies that. An empty header means no key. No key is refused, because an alert must reach
 * its audience: a number is its digits, a text that is too long or not printable is cut and continued by its hash, and
 * anything else counts as no key.
 *
 * @returns undefined for an alert that is not grouped.
 */
export function dedupKeyOf(
  { headers, body, routingKey }: Pick<Message<unknown>, 'headers' | 'body' | 'routingKey'>,
  route: Pick<AlertRoute, 'dedup'>,
): string | undefined {
  const field = typeof body === 'object' && body !== null && 'dedup_key' in body ? body.dedup_key : undefined;
  const header = headers['dedup_key'];
  if (header === '') return undefined;
  return keyOf(header) ?? keyOf(field) ?? (route.dedup === 'routing_key' ? keyOf(routingKey) : undefined);
}

function keyOf(given: unknown): string | undefined {
  const text = textOf(given);
  if (text === undefined || text === '') return undefined;
  if (dedupKeyPattern.test(text)) return text;
  const readable = [...text.replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd')].slice(0, maxReadable).join('');
  return `${readable}… (${textHash(text).slice(0, 32)})`;
}

/** Characters of a long key that are kept before its hash. */
const maxReadable = 120;

function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  // Digits of a 64-bit header may be lost in an event, and another alert may have the same number.
  if (Number.isInteger(given) && !Number.isSafeInteger(given)) return undefined;
  const isNumber = typeof given === 'number' || typeof given === 'bigint' || given instanceof JsonNumber;
  if (isNumber) return String(given);
  if (!(given instanceof Uint8Array)) return undefined;
  // A header of bytes, as some clients send their texts. Other bytes are another key, also if they are no text.
  const bytes = Buffer.from(given);
  return isUtf8(bytes) ? bytes.toString() : `bytes ${bytes.toString('hex')}`;
}
