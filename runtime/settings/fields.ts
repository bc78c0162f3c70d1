import * as z from 'zod';

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

/**
 * Makes a check of a text. Its error never quotes the text, because it may contain a password.
 *
 * @param problemOf returns what is wrong with the text, without the text; undefined if nothing is.
 */
export const without =
  (problemOf: (text: string) => string | undefined) =>
  (text: string, context: z.RefinementCtx): void => {
    const message = problemOf(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };

/**
 * A variable that contains JSON. Its error never quotes the text, because it may contain a secret.
 *
 * @param example an example for the error message.
 * @returns a field whose value is the parsed JSON; `.pipe` checks it.
 */
export function jsonText(example: string): z.ZodPipe<z.ZodString, z.ZodTransform<unknown, string>> {
  return z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.issues.push({ code: 'custom', input: text, message: `expected JSON: ${example}` });
      return z.NEVER;
    }
  });
}

/**
 * A variable with texts that are separated by commas, at least one.
 *
 * @param defaultText in the same form; by default, the variable is required.
 */
export function listField(
  defaultText?: string,
): z.ZodPipe<z.ZodString | z.ZodDefault<z.ZodString>, z.ZodTransform<string[], string>> {
  const text = defaultText === undefined ? z.string() : z.string().default(defaultText);
  return text
    .transform((list) =>
      list
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )
    .refine((list) => list.length > 0, 'expected at least one entry');
}
