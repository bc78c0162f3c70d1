import type { z } from 'zod';

/**
 * Returns the problems of checked input, a text for each: the field, the expected value, the actual value.
 *
 * @param whole name of the whole input, for a problem that concerns no single field; default none.
 */
export function problemsOf(error: z.ZodError, whole = ''): string[] {
  return error.issues.map(({ path, message }) => {
    const field = path.length > 0 ? path.join('.') : whole;
    return field ? `${field}: ${message}` : message;
  });
}
