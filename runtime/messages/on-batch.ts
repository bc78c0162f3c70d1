import type { Context } from 'aws-lambda';
import { Deadlines } from '../base/deadlines.ts';
import { WarrenError } from '../base/errors.ts';
import { RejectedMessagesError } from '../base/rejected-messages.ts';
import { readsUnencoded } from '../base/unencoded.ts';
import type { ReadContract } from '../contracts/reading.ts';
import { type BatchTime, runBatch } from './batch-run.ts';
import { decodeBody, type Schemas, type TypedMessage, withContract } from './body.ts';
import type { RabbitMQEvent } from './event.ts';
import { contextOf, type HandlerContext } from './handler-context.ts';
import { LateRuns } from './late-runs.ts';
import { checkFunctionNumbers } from './number-options.ts';
import type {
  MessagesFunction,
  TypedMessagesOptions,
  VersionedMessage,
  VersionedMessagesOptions,
} from './on-messages.ts';
import { processedBatch } from './processing.ts';
import { type Message, type ReceivedMessage, readEvent } from './received.ts';
import { type FailureOptions, type Settling, settler } from './settle.ts';

export interface BatchOptions<Body> extends FailureOptions<Body> {}

/** A message of a batch with the identifier by which a result names it. */
export type BatchMessage<Received extends ReceivedMessage> = Received & { itemIdentifier: string };

/** The messages of a batch that failed, in the form of AWS Lambda's partial batch responses. */
export interface BatchFailures {
  batchItemFailures: readonly {
    itemIdentifier: string;
    /** Why, for the failure policy: RejectedError, UnavailableError, ... Default: an error like any other. */
    error?: unknown;
  }[];
}

type BatchHandler<Received extends ReceivedMessage> = (
  messages: readonly BatchMessage<Received>[],
  context: HandlerContext,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result is the usual one.
) => Promise<BatchFailures | void>;

/**
 * Creates a function for RabbitMQ's event from a handler for a whole batch, for work in bulk such as one `INSERT`. Messages that
 * cannot be decoded, and messages that have expired, do not reach the handler; a batch without others does not call it.
 *
 * @param handle handles all messages of a call at once, and may be called more than once for each. If it returns nothing, all
 *   are done. If it returns `batchItemFailures`, the failure policy decides about each of these, and the others are done. If it
 *   throws, or names a message that the batch does not have, the policy decides about all of them: RejectedError dead-letters the
 *   whole batch.
 * @returns the function, which behaves as that of `onMessages`.
 * @throws WarrenError ERR_CONFIG if a number among the options is wrong.
 */
export function onBatch<const ByType extends Schemas>(
  options: Omit<TypedMessagesOptions<ByType>, 'concurrency'>,
  handle: BatchHandler<TypedMessage<ByType>>,
): MessagesFunction;
export function onBatch<const Contracts extends readonly ReadContract[]>(
  options: Omit<VersionedMessagesOptions<Contracts>, 'concurrency'>,
  handle: BatchHandler<VersionedMessage<Contracts>>,
): MessagesFunction;
export function onBatch<Body>(
  options: BatchOptions<Body>,
  handle: BatchHandler<Message<Body>>,
): MessagesFunction;
export function onBatch(
  options: object,
  handle: (message: never, context: HandlerContext) => Promise<unknown>,
): MessagesFunction {
  return wholeBatch(withContract(options as BatchOptions<unknown>), handle as BatchHandler<Message<unknown>>);
}

function wholeBatch<Body>(
  options: BatchOptions<Body>,
  handle: BatchHandler<Message<Body>>,
): MessagesFunction {
  checkFunctionNumbers(options);
  const settling = settler(options);
  const runs = new LateRuns();
  const deadlines = new Deadlines<BatchTime>();

  /** The messages that the handler gets; the others have their verdicts. */
  const decodeAll = async (messages: readonly ReceivedMessage[], settle: Settling) => {
    const decoded = await Promise.all(
      messages.map(async (message, index) => {
        if (await settle.skipped(message)) return [];
        try {
          runs.check(message);
          const itemIdentifier = String(index);
          return [Object.assign(await decodeBody(message, options), { itemIdentifier })];
        } catch (error) {
          await settle.failed(message, error).catch(settle.call.stuck);
          return [];
        }
      }),
    );
    return decoded.flat();
  };

  return readsUnencoded(async (event: RabbitMQEvent, lambda?: Context) => {
    const received = readEvent(event);
    const settle = settling(received, lambda);
    const { call, ms } = settle;
    const messages = await decodeAll(received, settle);
    if (messages.length > 0) {
      const late = await runBatch(
        [messages],
        { concurrency: 1, ms, deadlines, stuck: call.stuck },
        (batch, time) =>
          processedBatch(batch, async (recordError) => {
            const work = (some: readonly (typeof batch)[number][]) =>
              runs.during(some, async () => handle(some, contextOf(time, lambda)));
            const errors = await failuresOf(batch, work);
            // The verdicts of a batch whose time is over stand already.
            if (time.isOver) return;
            for (const error of new Set(errors.values())) recordError(error);
            await Promise.all(
              batch.map(async (message) => {
                if (!errors.has(message.itemIdentifier)) return settle.done(message);
                await settle.failed(message, errors.get(message.itemIdentifier)).catch(call.stuck);
              }),
            );
          }),
      );
      await Promise.all(late.flat().map((message) => settle.late(message)));
    }
    return call.end(received.length);
  });
}

/**
 * Runs the handler, and again without the messages that it rejects by themselves, such as those without an id.
 *
 * @returns the error of each message that failed, by its identifier.
 */
async function failuresOf<Received extends ReceivedMessage>(
  batch: readonly BatchMessage<Received>[],
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result is the usual one.
  run: (messages: readonly BatchMessage<Received>[]) => Promise<BatchFailures | void>,
): Promise<Map<string, unknown>> {
  const known = new Set(batch.map(({ itemIdentifier }) => itemIdentifier));
  try {
    // A handler in JavaScript may return something else, such as the result of its last call.
    const result: Partial<BatchFailures> = (await run(batch)) ?? {};
    const batchItemFailures = result.batchItemFailures ?? [];
    const unknown = batchItemFailures.find(({ itemIdentifier }) => !known.has(itemIdentifier));
    if (unknown) throw wrongIdentifier(unknown.itemIdentifier);
    return new Map(
      batchItemFailures.map(({ itemIdentifier, error = new Error('the handler reported a failure') }) => [
        itemIdentifier,
        error,
      ]),
    );
  } catch (error) {
    const isGuilty = (message: unknown) =>
      !(error instanceof RejectedMessagesError) || error.messages.has(message);
    const guilty = batch.filter(isGuilty);
    // An error that names none of them concerns all.
    const failed = guilty.length > 0 ? guilty : batch;
    const others = batch.filter((message) => !failed.includes(message));
    const errors = failed.map(({ itemIdentifier }) => [itemIdentifier, error] as const);
    return new Map([...errors, ...(others.length > 0 ? await failuresOf(others, run) : [])]);
  }
}

function wrongIdentifier(identifier: unknown): WarrenError {
  const got = typeof identifier === 'string' ? `"${identifier}"` : typeof identifier;
  return new WarrenError(
    'ERR_CONFIG',
    `batchItemFailures: expected the itemIdentifier of a message in the batch, got ${got}`,
  );
}
