import type { z } from 'zod';

/**
 * What is wrong with checked input, a text for each problem: the field, what was expected, what came.
 *
 * @param whole what to call the input as a whole, where the problem is with no field of it; default nothing.
 */
export function problemsOf(error: z.ZodError, whole = ''): string[] {
  return error.issues.map(({ path, message }) => {
    const field = path.length > 0 ? path.join('.') : whole;
    return field ? `${field}: ${message}` : message;
  });
}
