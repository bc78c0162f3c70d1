import type { Context } from 'aws-lambda';
import { Deadlines } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';
import { readsUnencoded } from '../base/unencoded.ts';
import type { ReadContract } from '../contracts/reading.ts';
import { type BatchTime, runBatch } from './batch-run.ts';
import { decoding, type Schemas, type TypedMessage, withContract } from './body.ts';
import type { RabbitMQEvent } from './event.ts';
import { contextOf, type HandlerContext } from './handler-context.ts';
import { LateRuns } from './late-runs.ts';
import { checkFunctionNumbers } from './number-options.ts';
import { isObserved, notRecorded, processed, type RecordError } from './processing.ts';
import { type Message, type ReceivedMessage, readEvent } from './received.ts';
import { type FailureOptions, type Settling, settler } from './settle.ts';
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
 * @throws WarrenError ERR_CONFIG if a number among the options is wrong.
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
  checkFunctionNumbers(options);
  const { concurrency = 10 } = options;
  const settling = settler(options);
  const runs = new LateRuns();
  const deadlines = new Deadlines<BatchTime>();

  /** A promise for each step would take longer than the step, so there is one only for what has to be awaited. */
  const run = (message: ReceivedMessage, running: RunningCall): Promise<void> | undefined => {
    try {
      const skipped = running.settle.skipped(message);
      if (isPromise(skipped))
        return skipped.then((isSkipped) => (isSkipped ? undefined : decodeAndHandle(message, running)));
      return skipped ? undefined : decodeAndHandle(message, running);
    } catch (error) {
      return failed(message, error, running);
    }
  };

  const decodeAndHandle = (message: ReceivedMessage, running: RunningCall): Promise<void> => {
    try {
      runs.check(message);
      const body = decoding(message, options);
      if (!isPromise(body)) return handleDecoded(body, running);
      return Promise.resolve(body).then(
        (decoded) => handleDecoded(decoded, running),
        (error: unknown) => failed(message, error, running),
      );
    } catch (error) {
      return failed(message, error, running);
    }
  };

  const handleDecoded = (message: Message<Body>, running: RunningCall): Promise<void> => {
    const open = runs.begin(message);
    const failing = (error: unknown) => {
      runs.end(open);
      return failed(message, error, running);
    };
    const done = () => {
      runs.end(open);
      running.settle.done(message);
    };
    try {
      return Promise.resolve(handle(message, running.context)).then(done, failing);
    } catch (error) {
      return failing(error);
    }
  };

  return readsUnencoded(async (event: RabbitMQEvent, lambda?: Context) => {
    const messages = readEvent(event);
    const settle = settling(messages, lambda);
    const { call, ms } = settle;
    const { stuck } = call;
    const isPlain = !isObserved();
    let running: RunningCall | undefined;
    const late = await runBatch(messages, { concurrency, ms, deadlines, stuck }, (message, time) => {
      running ??= { time, settle, context: contextOf(time, lambda), recordError: notRecorded };
      if (isPlain) return run(message, running);
      const { context } = running;
      return processed(message, async (recordError) => run(message, { time, settle, context, recordError }));
    });
    if (late.length > 0) await Promise.all(late.map((message) => settle.late(message)));
    return call.end(messages.length);
  });
}

/** A call in flight. */
interface RunningCall {
  time: BatchTime;
  settle: Settling;
  /** One for all messages of the call, whose time it has. */
  context: HandlerContext;
  recordError: RecordError;
}

async function failed(
  message: ReceivedMessage,
  error: unknown,
  { time, settle, recordError }: RunningCall,
): Promise<void> {
  // The verdict of a message whose time is over stands already.
  if (time.isOver) return;
  recordError(error);
  await settle.failed(message, error).catch(settle.call.stuck);
}
