import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import { queueState, returned } from './queue-state.ts';

export interface StreamOptions {
  /** Maximum number of dead letters to read. */
  count: number;
  /** Unacknowledged dead letters per channel, default 65535, the maximum of AMQP. */
  prefetch?: number;
  /** Milliseconds without a dead letter after which the stream fails while others are left, default 5000. */
  stallMs?: number;
}

/** Milliseconds without a dead letter after which the queue is checked. */
export const idleMs = 500;
/** Limit for an answer from the broker in milliseconds. */
export const answerMs = 30_000;

/**
 * Passes dead letters to `receive` without a request for each, and returns all to their queue at the end. None is buffered, so only
 * what `receive` keeps needs memory.
 *
 * A quorum queue limits a consumer without a prefetch to 2,000 unacknowledged messages, so each consumer has the maximum, and
 * when it is reached, another consumer on another channel continues.
 *
 * @param receive returns false to end the stream.
 * @throws UnavailableError if the connection is lost, or if no dead letter arrives for `stallMs` while others are left.
 */
export async function stream(
  connection: BrokerConnection,
  { count, prefetch = 65_535, stallMs = 5000 }: StreamOptions,
  receive: (message: Message) => boolean,
): Promise<void> {
  let seen = 0;
  let seenAt = performance.now();
  let ended = count === 0;
  let failure: unknown;
  let wake: () => void = () => undefined;
  const end = (cause?: unknown) => {
    if (!ended) failure = cause;
    ended = true;
    wake();
  };
  const cancels: (() => Promise<unknown>)[] = [];
  const giveBacks: (() => Promise<number>)[] = [];
  const consume = async () => {
    const channel = await connection.channel();
    let unacknowledged = 0;
    channel.once('close', () => end(lost()));
    await channel.prefetch(prefetch);
    const { consumerTag } = await channel.consume(deadLetters, (message) => {
      if (!message) return end(lost());
      unacknowledged += 1;
      if (ended) return;
      seen += 1;
      seenAt = performance.now();
      if (!receive(message) || seen >= count) end();
      else if (unacknowledged === prefetch) consume().catch((cause: unknown) => end(lost(cause)));
    });
    cancels.push(() => channel.cancel(consumerTag));
    giveBacks.push(async () => {
      channel.nackAll(true);
      await channel.prefetch(1);
      return unacknowledged;
    });
  };
  if (!ended) await answered(consume);
  while (!ended) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, idleMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (ended || performance.now() - seenAt < idleMs) continue;
    const before = seen;
    const left = await leftIn(connection);
    if (ended || seen > before) continue;
    // Another client may have taken the rest, or it is on its way here.
    if (left === 0) break;
    if (performance.now() - seenAt >= stallMs) {
      const text = `saw ${seen} of ${count} dead letters, then none for ${stallMs} ms although ${left} are left`;
      throw new UnavailableError('broker', text);
    }
  }
  if (failure) throw failure;
  // The answers come after what is on its way.
  for (const cancel of cancels) await answered(cancel);
  await answered(() =>
    returned(connection, deadLetters, async () => {
      let held = 0;
      for (const giveBack of giveBacks) held += await giveBack();
      return held;
    }),
  );
}

async function leftIn(connection: BrokerConnection): Promise<number> {
  const channel = await connection.channel();
  const { messageCount } = await answered(() => queueState(channel));
  await channel.close();
  return messageCount;
}

/**
 * Waits for the answer to a request.
 *
 * @throws UnavailableError if the request fails or the broker does not answer in time.
 */
export async function answered<T>(request: () => Promise<T>): Promise<T> {
  const late = () => new Error(`no answer from the broker within ${answerMs} ms`);
  try {
    return await withDeadline(request(), { ms: answerMs, late });
  } catch (cause) {
    throw lost(cause);
  }
}

export function lost(cause?: unknown): UnavailableError {
  return new UnavailableError('broker', 'the connection to the broker was lost', { cause });
}
