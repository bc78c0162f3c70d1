/** Copies behind a host that makes none, such as AWS's mapping: a batch is acknowledged as a whole or comes again. */
import { type ChannelModel, type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { type MessagesFunction, onMessages } from '../../../runtime/messages/on-messages.ts';
import { lambdaContext } from '../../../runtime/testing/invoke.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

const queue = 'orders';
const retries = `${queue}.retry.1s`;
const patience = { timeout: 30_000, interval: 50 };

describe("copies behind AWS's mapping", () => {
  let node: PrivateBroker;
  let model: ChannelModel;
  let channel: ConfirmChannel;
  let publisher: Publisher;

  beforeAll(async () => {
    node = await privateBroker();
    const section = readSection({ queues: { [queue]: {} }, retryDelays: [1] });
    await applyTopology(node.url, compileTopology(section));
    model = await connect(node.url);
    channel = await model.createConfirmChannel();
    publisher = new Publisher({ url: node.url, name: 'copying call' });
  }, 60_000);
  afterEach(async () => {
    await channel.purgeQueue(queue);
  });
  afterAll(async () => {
    await publisher.close();
    await model.close();
    await node.close();
  });

  /** Suspends the process of the retry queue, as a stalled disk does. */
  const stall = async (ms: number) => {
    const suspended = `erlang:suspend_process(whereis('%2F_${retries}'))`;
    await node.control('eval', `spawn(fun() -> ${suspended}, timer:sleep(${ms}) end), ok.`);
  };
  const send = async (body: unknown, messageId: string, headers = {}) => {
    const content = Buffer.from(JSON.stringify(body));
    channel.sendToQueue(queue, content, { persistent: true, messageId, headers });
    await channel.waitForConfirms();
  };
  const take = async (count: number): Promise<GetMessage[]> => {
    const taken: GetMessage[] = [];
    const enough = async () => {
      const message = await channel.get(queue);
      if (message) taken.push(message);
      return taken.length;
    };
    await expect.poll(enough, patience).toBe(count);
    return taken;
  };
  /** One call of the mapping. @returns whether the batch was acknowledged. */
  const call = async (run: MessagesFunction, count: number, timeoutMs: number): Promise<boolean> => {
    const taken = await take(count);
    try {
      await run(toEvent({ arn: 'arn', queue, vhost: '/' }, taken), lambdaContext({ timeoutMs }));
      for (const message of taken) channel.ack(message);
      return true;
    } catch {
      for (const message of taken) channel.nack(message, false, true);
      return false;
    }
  };
  const failing = (runs: unknown[]) =>
    onMessages(
      { schema: z.unknown(), publisher, policy: { delays: [1] }, policies: {}, log: silentLog },
      async ({ body, attempt }) => {
        runs.push([body, attempt]);
        if (body === 'bad' && attempt === 1) throw new Error('fails');
      },
    );
  const ready = async (name: string) => (await channel.checkQueue(name)).messageCount;

  it('a copy whose confirm is late is awaited as long as the call may take', async () => {
    const runs: unknown[] = [];
    const run = failing(runs);
    await send('bad', 'late');
    await stall(6000);
    expect(await call(run, 1, 60_000)).toBe(true);
    expect(await call(run, 1, 60_000)).toBe(true);
    expect(runs).toEqual([
      ['bad', 1],
      ['bad', 2],
    ]);
    expect([await ready(queue), await ready(retries)]).toEqual([0, 0]);
  }, 60_000);

  it('a call that ends before the confirm fails, and the next calls run nothing again and make no second copy', async () => {
    const runs: unknown[] = [];
    const run = failing(runs);
    for (const body of ['good', 'bad', 'fine']) await send(body, body);
    await stall(9000);
    let calls = 0;
    do calls += 1;
    while (!(await call(run, 3, 2000)));
    expect(calls).toBeGreaterThan(1);
    expect(await call(run, 1, 60_000)).toBe(true);
    expect(runs).toEqual([
      ['good', 1],
      ['bad', 1],
      ['fine', 1],
      ['bad', 2],
    ]);
    expect([await ready(queue), await ready(retries)]).toEqual([0, 0]);
  }, 60_000);

  it('copies that no connection could confirm have one identity, and a function handles one of them', async () => {
    const runs: unknown[] = [];
    const refusing = new Publisher({ url: 'amqp://127.0.0.1:1', name: 'unavailable' });
    const published: (string | undefined)[] = [];
    const recording = {
      publish: async (message: Parameters<Publisher['publish']>[0]) => {
        published.push(String(message.headers?.['x-warren-copy']));
        return refusing.publish(message);
      },
    };
    const run = onBatch({ schema: z.unknown(), publisher: recording, log: silentLog }, async (messages) => {
      runs.push(...messages.map(({ body }) => body));
      throw new Error('fails');
    });
    await send('bad', 'lost');
    expect(await call(run, 1, 5000)).toBe(false);
    expect(await call(run, 1, 5000)).toBe(false);
    expect(runs).toEqual(['bad', 'bad']);
    expect(published[1]).toBe(published[0]);
    await channel.purgeQueue(queue);

    const good: unknown[] = [];
    const twice = failing(good);
    for (let n = 0; n < 2; n += 1)
      await send('copy', 'c', { 'x-warren-copy': 'c-1', 'x-warren-attempts': 1 });
    expect(await call(twice, 1, 5000)).toBe(true);
    expect(await call(twice, 1, 5000)).toBe(true);
    expect(good).toEqual([['copy', 2]]);
  }, 60_000);

  it('a delayed message that reaches two queues of a function is handled once from each', async () => {
    const runs: unknown[] = [];
    const run = failing(runs);
    await send('late', 'd', { 'x-warren-copy': 'd-1' });
    const taken = await take(1);
    const context = lambdaContext({ timeoutMs: 5000 });
    for (const name of [queue, 'invoices', queue, 'invoices'])
      await run(toEvent({ arn: 'arn', queue: name, vhost: '/' }, taken), context);
    for (const message of taken) channel.ack(message);
    expect(runs).toEqual([
      ['late', 1],
      ['late', 1],
    ]);
  });

  it('messages without an id are handled again, because they cannot be recognized', async () => {
    const runs: unknown[] = [];
    const nowhere = { publish: async () => Promise.reject(new Error('no broker')) };
    const run = onMessages({ schema: z.unknown(), publisher: nowhere, log: silentLog }, async ({ body }) => {
      runs.push(body);
      if (body === 'bad') throw new Error('fails');
    });
    for (const body of ['good', 'bad']) {
      channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)));
      await channel.waitForConfirms();
    }
    expect(await call(run, 2, 5000)).toBe(false);
    expect(await call(run, 2, 5000)).toBe(false);
    expect(runs).toEqual(['good', 'bad', 'good', 'bad']);
  });
});
