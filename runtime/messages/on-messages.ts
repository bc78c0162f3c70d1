import type { Context } from 'aws-lambda';
import { Deadlines } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';
import { readsUnencoded } from '../base/unencoded.ts';
import type { ReadContract } from '../contracts/reading.ts';
import { type BatchTime, runBatch } from './batch-run.ts';
import { decoding, type Schemas, type TypedMessage, withContract } from './body.ts';
import type { RabbitMQEvent } from './event.ts';
import { LateRuns } from './late-runs.ts';
import { processed, type RecordError } from './processing.ts';
import { type Message, type ReceivedMessage, readEvent } from './received.ts';
import { contextOf, type FailureOptions, type HandlerContext, type Settling, settler } from './settle.ts';
import type { BatchResult } from './verdicts.ts';

export interface MessagesOptions<Body> extends FailureOptions<Body> {
  /** Number of messages of a batch that are handled at a time, default 10. */
  concurrency?: number;
}

/** Options with a schema for each type of message. */
export type TypedMessagesOptions<ByType extends Schemas> = Omit<
  MessagesOptions<TypedMessage<ByType>['body']>,
  'schema' | 'schemas' | 'contract' | 'contracts'
> & { schemas: ByType };

/** A message of one of several contracts. */
export type VersionedMessage<Contracts extends readonly ReadContract[]> = {
  [At in keyof Contracts]: Contracts[At] extends ReadContract<infer Body, infer Version>
    ? Message<Body> & { version: Version }
    : never;
}[number];

/** Options with contracts of several versions of a message. */
export type VersionedMessagesOptions<Contracts extends readonly ReadContract[]> = Omit<
  MessagesOptions<VersionedMessage<Contracts>['body']>,
  'schema' | 'schemas' | 'contract' | 'contracts'
> & { contracts: Contracts };

/** A function for RabbitMQ's event. It returns verdicts to a host that asks for them (`verdictsContext`). */
export type MessagesFunction = (event: RabbitMQEvent, context?: Context) => Promise<BatchResult | undefined>;

/**
 * Creates a function for RabbitMQ's event from a handler for one message. Each message of a batch is decoded, checked and
 * handled on its own. A message that fails is retried or dead-lettered by the failure policy, so it never fails its neighbours.
 * A message that is not done shortly before the call's time is over counts as one whose dependency is unavailable.
 *
 * @param handle handles one message, and may be called more than once for it. It throws RejectedError if the message can never
 *   work, UnavailableError if a dependency is unavailable, RetryLaterError (`retry`) for a retry after a number of seconds, and
 *   any other error for other failures.
 * @returns the function. Called by one of our hosts, it returns a verdict for each message that failed, and the host makes the
 *   copies. Behind AWS's mapping it makes them itself, and throws only if a failed message could not be republished: the batch
 *   then has to be delivered again, and nothing is lost. It throws UnavailableError if the broker is the reason, and
 *   ERR_COPY_FAILED if a message has a copy that cannot be published.
 */
export function onMessages<const ByType extends Schemas>(
  options: TypedMessagesOptions<ByType>,
  handle: (message: TypedMessage<ByType>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction;
export function onMessages<const Contracts extends readonly ReadContract[]>(
  options: VersionedMessagesOptions<Contracts>,
  handle: (message: VersionedMessage<Contracts>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction;
export function onMessages<Body>(
  options: MessagesOptions<Body>,
  handle: (message: Message<Body>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction;
export function onMessages(
  options: object,
  handle: (message: never, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  return eachMessage(
    withContract(options as MessagesOptions<unknown>),
    handle as (message: Message<unknown>, context: HandlerContext) => Promise<unknown>,
  );
}

function eachMessage<Body>(
  options: MessagesOptions<Body>,
  handle: (message: Message<Body>, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  const { concurrency = 10 } = options;
  const settling = settler(options);
  const runs = new LateRuns();
  const deadlines = new Deadlines<BatchTime>();

  /** Awaits only what is a promise: an `await` takes as long as a check of the body. */
  const run = async (
    message: ReceivedMessage,
    { time, lambda, settle }: RunningCall,
    recordError: RecordError,
  ): Promise<void> => {
    try {
      const skipped = settle.skipped(message);
      if (isPromise(skipped) ? await skipped : skipped) return;
      runs.check(message);
      const body = decoding(message, options);
      const decoded = isPromise(body) ? await body : body;
      const running = runs.begin(message);
      try {
        await handle(decoded, contextOf(time, lambda));
      } finally {
        runs.end(running);
      }
    } catch (error) {
      // The verdict of a message whose time is over stands already.
      if (time.isOver) return;
      recordError(error);
      return settle.failed(message, error).catch(settle.call.stuck);
    }
    settle.done(message);
  };

  return readsUnencoded(async (event: RabbitMQEvent, lambda?: Context) => {
    const messages = readEvent(event);
    const settle = settling(messages, lambda);
    const { call, ms } = settle;
    const late = await runBatch(messages, { concurrency, ms, deadlines }, (message, time) =>
      processed(message, (recordError) => run(message, { time, lambda, settle }, recordError)).catch(
        call.stuck,
      ),
    );
    if (late.length > 0) await Promise.all(late.map(settle.late));
    return call.end(messages.length);
  });
}

interface RunningCall {
  time: BatchTime;
  lambda: Context | undefined;
  settle: Settling;
}
