import { inspect } from 'node:util';

/**
 * What was thrown, or a part of an error, as text. Clients of APIs assign the fields of an answer to their errors, so that a message,
 * name or stack can be of any type. `String` throws for some objects.
 */
export function thrownText(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY });
}
