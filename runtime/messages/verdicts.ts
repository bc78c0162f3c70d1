/**
 * The verdicts of a batch: a function that our hosts call returns what to do with each message that failed, and the host makes
 * the copies from what it received. AWS's own mapping ignores a result; behind it the function makes the copies.
 */
import type { ClientContext } from 'aws-lambda';
import * as z from 'zod';
import type { Verdict } from './failure-policy.ts';

/** The verdict about one message that failed. */
export interface ItemFailure {
  /** Index of the message in the event, as text: AWS's event has no identifier for every message. */
  itemIdentifier: string;
  verdict: Verdict;
  /** Name and message of the error. */
  error: string;
  /** Whether the failure counts against the message; it does not if a dependency was unavailable. */
  fault: boolean;
}

/** The result of a function for a batch. A message that it does not list is done. */
export interface BatchResult {
  batchItemFailures: ItemFailure[];
}

/** Lambda's client context with which a host asks for verdicts; the Invoke API and our hosts pass it to the function. */
export const verdictsContext = { custom: { warren: 'verdicts' } };

/** Whether the host of a call understands verdicts. */
export function wantsVerdicts(context: { clientContext?: ClientContext | undefined } | undefined): boolean {
  const { custom } = (context?.clientContext ?? {}) as { custom?: { warren?: unknown } };
  return custom?.warren === verdictsContext.custom.warren;
}

const createSchema = () =>
  z.object({
    batchItemFailures: z.array(
      z.object({
        itemIdentifier: z.string().regex(/^\d+$/),
        verdict: z.union([
          z.object({ to: z.literal('retry'), seconds: z.number().positive() }),
          z.object({ to: z.literal('dead-letters'), reason: z.enum(['rejected', 'exhausted', 'too-old']) }),
        ]),
        error: z.string(),
        fault: z.boolean(),
      }),
    ),
  });

// Created for the first result with failures: that takes as long as twenty calls.
let schema: ReturnType<typeof createSchema> | undefined;

/** Whether a result lists no failed message, as most do. */
export function hasNoFailures({ batchItemFailures: failures }: { batchItemFailures: unknown }): boolean {
  return Array.isArray(failures) && failures.length === 0;
}

/**
 * Reads the result of a function.
 *
 * @param count the number of messages in the event.
 * @returns the failures by index; empty for any other result, because a function without verdicts is done when it returns.
 */
export function readFailures(result: unknown, count: number): Map<number, ItemFailure> {
  if (typeof result !== 'object' || result === null || !('batchItemFailures' in result)) return new Map();
  if (hasNoFailures(result)) return new Map();
  schema ??= createSchema();
  const parsed = schema.safeParse(result);
  if (!parsed.success) return new Map();
  const failures = parsed.data.batchItemFailures.map((each) => [Number(each.itemIdentifier), each] as const);
  return new Map(failures.filter(([index]) => index < count));
}
