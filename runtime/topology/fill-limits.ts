import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { countQueues } from './count-queues.ts';
import type { LimitedQueue } from './tokens.ts';

/** Milliseconds for which an apply waits for another one that fills the same limit. */
const lockMs = 60_000;
/** Milliseconds between two tries or counts. */
const againMs = 100;
/**
 * Counts of the tokens, of which the largest is right: one on its way between the two queues is in neither, and neither is one of a
 * worker that was killed until the broker has noticed that. Surplus tokens would exceed the limit.
 */
const counts = 20;

/** Declares a queue of the topology by its name. */
type Declare = (name: string) => Promise<void>;

/**
 * Declares the queues of limits and fills them with their tokens, so that each has exactly its number. Of several programs one does it
 * at a time. A limit that is there is mended if no worker is there, which might hold some of its tokens.
 *
 * @param declare declares a queue of the topology by its name.
 * @throws WarrenError ERR_TOPOLOGY if another program fills a limit for too long; as `declare`.
 */
export async function fillLimits(
  connection: BrokerConnection,
  limited: readonly LimitedQueue[],
  declare: Declare,
): Promise<void> {
  for (const limit of limited) {
    const unlock = await lock(connection, limit);
    try {
      await fill(connection, limit, declare);
    } finally {
      // It has ended with its connection otherwise.
      await unlock().catch(() => undefined);
    }
  }
}

async function fill(connection: BrokerConnection, limit: LimitedQueue, declare: Declare): Promise<void> {
  const { tokens, used, consumers, count } = limit;
  const known = await countQueues(connection, [{ name: tokens }, { name: used }, { name: consumers }]);
  if (known.size === 3) return mend(connection, limit);
  // What is left of it may have some of its tokens, and workers may hold others.
  const channel = await connection.channel();
  for (const name of [consumers, tokens, used]) await channel.deleteQueue(name);
  await channel.close();
  await declare(tokens);
  await declare(used);
  // If there were tokens, some of them may have been used in this period.
  await addTokens(connection, limit, known.size === 0 ? tokens : used, count);
  // Last: if this program ends before, the next one begins again.
  await declare(consumers);
}

/** Adds tokens that are missing and removes those too many, if no worker is there. */
async function mend(connection: BrokerConnection, limit: LimitedQueue): Promise<void> {
  const { tokens, used, consumers, count } = limit;
  let found = 0;
  for (let n = 0; n < counts && found !== count; n += 1) {
    if (n > 0) await pause(againMs);
    const workers = await countQueues(connection, [{ name: consumers }]);
    if (workers.get(consumers)?.consumerCount !== 0) return;
    // In this order, because a token moves from `used` to `tokens` now: it is counted in one of them at most.
    const ready = await countQueues(connection, [{ name: tokens }]);
    const waiting = await countQueues(connection, [{ name: used }]);
    const sum = (ready.get(tokens)?.messageCount ?? 0) + (waiting.get(used)?.messageCount ?? 0);
    found = Math.max(found, sum);
  }
  if (found < count) await addTokens(connection, limit, used, count - found);
  if (found <= count) return;
  const channel = await connection.channel();
  for (let surplus = found - count; surplus > 0; surplus -= 1) await channel.get(tokens, { noAck: true });
  await channel.close();
}

async function addTokens(
  connection: BrokerConnection,
  limit: LimitedQueue,
  queue: string,
  count: number,
): Promise<void> {
  const channel = await connection.confirmChannel();
  // The lock belongs to a connection. After another one has begun, another program may add the same tokens.
  await channel.checkQueue(lockOf(limit));
  for (let n = 0; n < count; n += 1) {
    channel.sendToQueue(queue, Buffer.alloc(0), { persistent: true, messageId: randomUUID() });
  }
  await channel.waitForConfirms().catch((cause: unknown) => {
    throw new UnavailableError('broker', `the tokens of queue "${limit.queue}" are not confirmed`, { cause });
  });
  await channel.close();
}

const lockOf = ({ tokens }: LimitedQueue): string => `${tokens}.apply`;

/**
 * Keeps other programs from filling a limit, by a queue that only one connection can have.
 *
 * @returns lets them do it again.
 */
async function lock(connection: BrokerConnection, limit: LimitedQueue): Promise<() => Promise<void>> {
  const name = lockOf(limit);
  const until = performance.now() + lockMs;
  for (;;) {
    const channel = await connection.channel();
    try {
      await channel.assertQueue(name, { exclusive: true, durable: false });
      return async () => {
        await channel.deleteQueue(name);
        await channel.close();
      };
    } catch (cause) {
      if (!hasReplyCode(cause, 405)) throw cause;
      if (performance.now() > until) {
        const text = `the limit of queue "${limit.queue}" can't be filled: expected the other apply to end within ${lockMs / 1000} s`;
        throw new WarrenError('ERR_TOPOLOGY', text, { cause });
      }
    }
    await pause(againMs);
  }
}
