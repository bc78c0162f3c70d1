import type { ConsumeMessage } from 'amqplib';
import * as z from 'zod';
import type { ErrorCode } from '../base/error-codes.ts';
import { UnavailableError } from '../base/errors.ts';
import { isUnavailable } from '../base/unavailable.ts';
import type { toEvent } from './event.ts';
import { describeError } from './failed-copy.ts';
import { decide, type FailurePolicy } from './failure-policy.ts';
import { receivedMessage } from './host-copy.ts';
import { policyOf } from './policies.ts';
import { hasNoFailures, type ItemFailure, readFailures } from './verdicts.ts';

/** The queue that the messages of a function come from, with its policy. */
export type FailureSource = Parameters<typeof toEvent>[0] & {
  /** Default that of the environment. */
  policy?: FailurePolicy | undefined;
};

/** The function reported a message as failed, and gave no verdict. */
class ReportedError extends Error {
  override name = 'ReportedError';
}

/** The result of a function names a message that is not in its batch. As on AWS for SQS, the whole batch has failed then. */
class InvalidResultError extends Error {
  override name = 'InvalidResultError';
}

/** What the policy of the queue decides about a message that failed without a verdict of its function. */
export function failureOf(source: FailureSource, delivery: ConsumeMessage, error: unknown): ItemFailure {
  const { policy = policyOf(source.queue) } = source;
  const thrown = thrownBy(error);
  return {
    itemIdentifier: '',
    verdict: decide(thrown, receivedMessage(source, delivery), new Date(), policy),
    error: describeError(thrown),
    fault: !isUnavailable(thrown),
  };
}

/** The error of the function: a host reports that the function failed, with that error as the cause. */
function thrownBy(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { cause, code } = error as NodeJS.ErrnoException;
  // The error of a function in another process arrives without its own code.
  const isUnknown = code === ('ERR_HOST_UNAVAILABLE' satisfies ErrorCode) && !isUnavailable(cause);
  return isUnknown ? new UnavailableError('function', error.message, { cause }) : cause || error;
}

const noFailures: ReadonlyMap<number, ItemFailure> = new Map();

const plainResult = () =>
  z.object({
    batchItemFailures: z.array(z.object({ itemIdentifier: z.union([z.string(), z.int()]) })).nullish(),
  });

/**
 * Reads the result of a function: the verdicts of `onMessages`, or the failed messages in the form that AWS defined for SQS,
 * `{ batchItemFailures: [{ itemIdentifier }] }`. The identifier is a message id, or else an index of the event's list. Any
 * other result is a success.
 *
 * @returns the failures by index.
 * @throws InvalidResultError if an identifier fits no message of the batch.
 */
export function failuresIn(
  source: FailureSource,
  deliveries: readonly ConsumeMessage[],
  result: unknown,
): ReadonlyMap<number, ItemFailure> {
  if (typeof result !== 'object' || result === null || !('batchItemFailures' in result)) return noFailures;
  if (hasNoFailures(result)) return noFailures;
  const verdicts = readFailures(result, deliveries.length);
  if (verdicts.size > 0) return verdicts;
  const parsed = plainResult().safeParse(result);
  if (!parsed.success) {
    throw new InvalidResultError(
      'batchItemFailures: expected a list of { itemIdentifier }, got something else',
    );
  }
  const failures = new Map<number, ItemFailure>();
  for (const { itemIdentifier } of parsed.data.batchItemFailures ?? []) {
    for (const index of indexesOf(deliveries, String(itemIdentifier))) {
      const error = new ReportedError('the function reported the message in batchItemFailures');
      failures.set(index, failureOf(source, deliveries[index] as ConsumeMessage, error));
    }
  }
  return failures;
}

function indexesOf(deliveries: readonly ConsumeMessage[], identifier: string): number[] {
  const byId = deliveries.flatMap(({ properties }, index) =>
    properties.messageId === identifier ? [index] : [],
  );
  if (byId.length > 0) return byId;
  const index = /^\d+$/.test(identifier) ? Number(identifier) : Number.NaN;
  if (index < deliveries.length) return [index];
  throw new InvalidResultError(
    `batchItemFailures: expected message ids or indexes below ${deliveries.length}, got "${identifier.slice(0, 100)}"`,
  );
}
