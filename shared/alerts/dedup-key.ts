import { type Message, RejectedError } from 'warren/functions';
import type { AlertRoute } from './routes.ts';

/** Excludes control characters and unpaired surrogates, which PostgreSQL does not accept. */
export const dedupKeyPattern = /^[^\p{Cc}\p{Cs}]{1,200}$/u;
export const dedupKeyExpected = 'a text of 1 to 200 printable characters';

/**
 * Returns the key by which an alert is grouped: its header `dedup_key`, else the field of that name in a JSON object, else
 * the routing key if the route specifies that. An empty header means no key.
 *
 * @returns undefined for an alert that is not grouped.
 * @throws RejectedError if the key is not a text of 1 to 200 printable characters.
 */
export function dedupKeyOf(
  { headers, body, routingKey }: Pick<Message<unknown>, 'headers' | 'body' | 'routingKey'>,
  route: Pick<AlertRoute, 'dedup'>,
): string | undefined {
  const field = typeof body === 'object' && body !== null && 'dedup_key' in body ? body.dedup_key : undefined;
  if (headers['dedup_key'] === '') return undefined;
  const given = headers['dedup_key'] ?? field ?? (route.dedup === 'routing_key' ? routingKey : undefined);
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'string' && dedupKeyPattern.test(given)) return given;
  const received = typeof given === 'string' ? `${given.length} characters` : typeof given;
  throw new RejectedError(`dedup_key: expected ${dedupKeyExpected}, got ${received}`);
}
