import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  broker = await openBroker();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => broker.close());

/** A queue with a single active consumer, as `warren topology apply` declares it. */
const orderedQueue = async (): Promise<string> => {
  const queue = unique('ordered');
  await applyTopology(
    stack.AMQP_URL,
    compileTopology(readSection({ queues: { [queue]: { singleActiveConsumer: true } } })),
  );
  cleanups.push(() => broker.remove(queue));
  return queue;
};

describe('a queue with a single active consumer', () => {
  it('its order is kept by two workers over rolling stops, and no two calls run at the same time', async () => {
    const queue = await orderedQueue();
    const seen: { worker: number; body: number }[] = [];
    let [running, most] = [0, 0];
    const startWorker = async (worker: number): Promise<EventSource> => {
      const source = await feeding(
        queue,
        async (event) => {
          running += 1;
          most = Math.max(most, running);
          for (const { body } of messagesIn(event)) {
            // Long enough for another consumer to get the next message.
            await new Promise((resolve) => setTimeout(resolve, 3));
            seen.push({ worker, body: Number(body) });
          }
          running -= 1;
        },
        { singleActiveConsumer: true, batchSize: 5, windowMs: 0 },
      );
      cleanups.push(() => source.stop());
      return source;
    };
    const workers = [await startWorker(0), await startWorker(1)];
    const total = 400;
    for (let n = 0; n < total; n += 1) broker.channel.sendToQueue(queue, Buffer.from(String(n)));
    await broker.channel.waitForConfirms();
    // A rolling deployment: each worker in turn is replaced while messages are handled.
    for (let next = 2; next < 6; next += 1) {
      const at = seen.length;
      await expect.poll(() => seen.length, patience).toBeGreaterThan(Math.min(at + 40, total - 1));
      workers.push(await startWorker(next));
      await workers.shift()?.stop();
    }
    await expect.poll(() => seen.length, patience).toBe(total);
    expect(seen.map(({ body }) => body)).toEqual(Array.from({ length: total }, (_, n) => n));
    expect(most).toBe(1);
    expect(new Set(seen.map(({ worker }) => worker)).size).toBeGreaterThan(2);
    for (const worker of workers) await worker.stop();
    expect(await broker.count(queue)).toBe(0);
  }, 60_000);
});
