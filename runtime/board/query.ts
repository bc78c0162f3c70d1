import * as z from 'zod';
import { problemsOf } from '../base/schema-problems.ts';
import type { EntryFilter } from '../dead-letters/entry-summary.ts';
import { Problem } from '../http/problem.ts';

const text = z.string().min(1).max(1000);
const offset = z.coerce.number().int().min(0);
const maxSelected = 100_000;
/** A group of dead letters has a parameter for each field; `error` is a part of the error's first line, `error_is` is the whole. */
const filter = { queue: text, reason: text, error: text, error_is: text, place: text, id: text };

/** The parameters of the counts: a filter, and the number of intervals of their curves. */
export const groupsQuery = z.strictObject({
  ...z.object(filter).partial().shape,
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
  intervals: z.coerce.number().int().min(1).max(500).optional(),
});

/** The parameters of a page of dead letters. */
export const lettersQuery = z.strictObject({
  ...z.object(filter).partial().shape,
  after: offset.optional(),
  before: offset.optional(),
  order: z.enum(['oldest', 'newest']).default('oldest'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  text: text.optional(),
});

export const goneQuery = z.strictObject({
  before: offset.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export const auditQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  before: z.iso.datetime().optional(),
});

export const letterParameters = z.strictObject({ offset });

/** A job: what it does, and to which dead letters. `{}` selects all. */
export const jobBody = z.strictObject({
  action: z.enum(['replay', 'drop']),
  filter: z
    .strictObject({
      ...filter,
      id: z.union([text, z.array(text).min(1).max(maxSelected)]),
      offset: z.array(offset).min(1).max(maxSelected),
    })
    .partial(),
  to: text.max(255).optional(),
  one_at_a_time: z.boolean().optional(),
});

/** An edited dead letter. */
export const editBody = z.strictObject({
  to: text.max(255).optional(),
  body: z.base64(),
  content_type: text.max(255).optional(),
  headers: z.record(z.string().max(255), z.unknown()).optional(),
});

/**
 * Checks a part of a request.
 *
 * @throws Problem 400 with all problems.
 */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Problem(400, 'Bad Request', problemsOf(result.error, 'request', value).join('\n'));
}

/** Returns the filter for the index. */
export function entryFilter({
  error_is: errorIs,
  ...filter
}: Omit<z.output<typeof jobBody>['filter'], 'offset'>): EntryFilter {
  return { ...filter, errorIs };
}
