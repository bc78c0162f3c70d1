import * as z from 'zod';
import { limitField } from './rate-limit.ts';
import type { PerKey, RateLimit } from './token-names.ts';

/** A worker that takes over a partition waits for a period before it hands over messages. */
const maxPeriodMs = 60_000;
/** A worker remembers as many times for each key. */
const maxCount = 1000;
// Not the routing key: a message that waits aside comes back with another one.
const keyPlace = /^(header\.\S{1,200}|correlationId)$/;

/** The field `perKey` of a queue. */
export const perKeyField = () =>
  z
    .strictObject({
      of: z
        .string()
        .regex(keyPlace, { error: 'expected header.<name> or correlationId (a broker does not read bodies)' })
        .describe('Where a message has its key.'),
      concurrency: z
        .int()
        .min(1)
        .max(100)
        .optional()
        .describe('Messages of a key that are handled at a time.'),
      limit: limitField(),
    })
    .refine(({ concurrency, limit }) => concurrency !== undefined || limit !== undefined, {
      error: 'expected concurrency, limit or both',
    })
    .optional()
    .describe(
      'What messages of one key may take, such as those of a tenant, so that others do not wait for them. Only for `work`.',
    );

/** Settings that per-key limits exclude. */
interface PerKeySettings {
  perKey?: (PerKey & { of: string }) | undefined;
  orderBy?: string | undefined;
  limit?: RateLimit | undefined;
  messageTtl?: number | undefined;
}

/** Settings that contradict the limits of the keys of a queue. */
export function perKeyProblems(queue: string, { perKey, ...settings }: PerKeySettings): string[] {
  if (!perKey) return [];
  const wrong = (field: string, text: string) => `queue "${queue}": ${field}: ${text}`;
  const { count = 1, periodMs = 0 } = perKey.limit ?? {};
  return [
    ...(['orderBy', 'limit', 'messageTtl'] as const)
      .filter((field) => settings[field] !== undefined)
      .map((field) => wrong(field, 'expected no value with perKey')),
    ...(periodMs > maxPeriodMs
      ? [wrong('perKey.limit', `expected at most a minute, got ${periodMs / 1000} s`)]
      : []),
    ...(count > maxCount
      ? [wrong('perKey.limit', `expected at most ${maxCount} in a time, got ${count}`)]
      : []),
  ];
}
