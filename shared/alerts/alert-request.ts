import * as z from 'zod';
import { dedupKeyExpected, dedupKeyPattern } from './dedup-key.ts';

/** The body of `POST /alerts`. */
export const alertRequest = z.object({
  routing_key: z
    .string({ error: 'expected <severity>.<type>, such as critical.rate_limit' })
    .max(200)
    .regex(/^[\w-]+\.[\w-]+$/, {
      error: ({ input }) => `expected <severity>.<type>, such as critical.rate_limit, got "${input}"`,
    }),
  message: z.unknown().refine((value) => value !== undefined, 'expected a text or any other JSON value'),
  /** Groups alerts with the same key: one mail immediately, then periodic summaries. */
  dedup_key: z
    .string({ error: `expected ${dedupKeyExpected}` })
    .regex(dedupKeyPattern, { error: `expected ${dedupKeyExpected}` })
    .optional(),
});
