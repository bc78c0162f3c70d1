import { z } from 'zod';

/**
 * A variable that contains a URL. Its error never quotes the value, because it may contain a password.
 *
 * @param protocols the accepted schemes, each with its colon: `https:`.
 * @param example an example for the error message.
 */
export function urlField(protocols: readonly string[], example: string): z.ZodString {
  return z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
    error: `expected a URL such as ${example}`,
  });
}
