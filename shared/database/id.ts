import * as z from 'zod';

/** An id in JSON: a number, or a string of digits for languages without large numbers. */
export const id = z
  .union(
    [
      z.number().meta({ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
      z
        .string()
        .regex(/^\d{1,16}$/)
        .transform(Number),
    ],
    {
      error: ({ input }) => expectedId(input),
    },
  )
  .refine((value) => Number.isSafeInteger(value) && value > 0, { error: ({ input }) => expectedId(input) });

function expectedId(input: unknown): string {
  const got = input === undefined ? 'nothing' : JSON.stringify(input)?.slice(0, 40);
  return `expected an integer from 1 to 2^53-1, got ${got}`;
}
