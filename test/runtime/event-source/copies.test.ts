import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

const patience = { timeout: 40_000, interval: 50 };
const queue = 'orders';

describe('copies', () => {
  let node: PrivateBroker;
  let model: ChannelModel;
  let channel: ConfirmChannel;
  const sources: EventSource[] = [];

  beforeAll(async () => {
    node = await privateBroker();
    await applyTopology(
      node.url,
      compileTopology(readSection({ queues: { [queue]: {} }, retryDelays: [1] })),
    );
    model = await connect(node.url);
    channel = await model.createConfirmChannel();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((each) => each.stop()));
    await channel.purgeQueue(queue);
  });
  afterAll(async () => {
    await model.close();
    await node.close();
  });

  /** Suspends the process of a queue for some milliseconds, as a stalled disk or a lost majority does. */
  const stall = async (name: string, ms: number) => {
    const suspended = `erlang:suspend_process(whereis('%2F_${name}'))`;
    // A suspension ends with the process that asked for it.
    await node.control('eval', `spawn(fun() -> ${suspended}, timer:sleep(${ms}) end), ok.`);
  };
  const send = async (body: unknown, headers: Record<string, unknown> = {}, messageId = 'same') => {
    const content = Buffer.from(JSON.stringify(body));
    channel.sendToQueue(queue, content, {
      persistent: true,
      contentType: 'application/json',
      messageId,
      headers,
    });
    await channel.waitForConfirms();
  };
  const feed = async (handle: (body: unknown, attempt: number) => unknown, name = 'f') => {
    const runs: [unknown, number][] = [];
    const handler = onMessages(
      { schema: z.unknown(), publisher: recordingPublisher(), policy: { delays: [1] }, policies: {} },
      async ({ body, attempt }) => {
        runs.push([body, attempt]);
        await handle(body, attempt);
      },
    );
    const mapping = { functionName: name, queue, vhost: '/', arn: 'arn:test', batchSize: 10, windowMs: 0 };
    const source = new EventSource({
      url: node.url,
      mappings: [mapping],
      invoke: () => inProcess({ functionName: name, load: async () => handler, timeoutMs: 60_000 }),
      log: silentLog,
    });
    sources.push(source);
    await source.start();
    return runs;
  };
  const ready = async (name: string) => (await channel.checkQueue(name)).messageCount;

  it('copies: a message whose copy is confirmed late by a stalled retry queue runs once more, and not more often', async () => {
    const runs = await feed((_, attempt) => {
      if (attempt === 1) throw new Error('fails');
    });
    await stall(`${queue}.retry.1s`, 9000);
    await send('late');
    await expect.poll(() => runs.length, patience).toBe(2);
    expect(runs).toEqual([
      ['late', 1],
      ['late', 2],
    ]);
    // Each copy would be in one of the two queues.
    await expect
      .poll(async () => (await ready(queue)) + (await ready(`${queue}.retry.1s`)), patience)
      .toBe(0);
    await send('after', {}, 'after');
    await expect.poll(() => runs.length, patience).toBe(4);
    expect(runs.slice(2)).toEqual([
      ['after', 1],
      ['after', 2],
    ]);
  }, 60_000);

  it('copies: a stalled dead-letter queue gets one dead letter of a message', async () => {
    const runs = await feed(() => {
      throw new RejectedError('never');
    });
    await stall('warren.dead-letters', 9000);
    await send('dead', {}, 'dead');
    await expect.poll(() => ready('warren.dead-letters'), patience).toBeGreaterThan(0);
    await sources.splice(0)[0]?.stop();
    expect(runs).toEqual([['dead', 1]]);
    expect(await listDeadLetters(node.url, { queue })).toMatchObject([{ id: 'dead', attempts: 1 }]);
    expect(await ready(queue)).toBe(0);
  }, 60_000);

  it('copies: a message that is delivered again while its copy is not confirmed is not called again', async () => {
    const runs = await feed((_, attempt) => {
      if (attempt === 1) throw new Error('fails');
    }, 'cut');
    await stall(`${queue}.retry.1s`, 12_000);
    await send('cut');
    await expect.poll(() => runs.length, patience).toBe(1);
    await cut(node, 'warren event source: cut');
    await expect.poll(() => runs.length, patience).toBe(2);
    await expect
      .poll(async () => (await ready(queue)) + (await ready(`${queue}.retry.1s`)), patience)
      .toBe(0);
    expect(runs).toEqual([
      ['cut', 1],
      ['cut', 2],
    ]);
  }, 60_000);

  it('copies: a copy that was published twice runs once, in one batch and in the next', async () => {
    const headers = { 'x-warren-attempts': 1, 'x-warren-copy': 'c-1' };
    await send('twice', headers);
    await send('twice', headers);
    const runs = await feed(() => undefined);
    await expect.poll(() => runs, patience).toEqual([['twice', 2]]);
    await send('twice', headers);
    await send('last', {}, 'last');
    await expect
      .poll(() => runs, patience)
      .toEqual([
        ['twice', 2],
        ['last', 1],
      ]);
    await expect.poll(() => ready(queue), patience).toBe(0);
  });

  it('copies: different copies with the same message id each run', async () => {
    await send('one', { 'x-warren-attempts': 1, 'x-warren-copy': 'c-2' });
    await send('two', { 'x-warren-attempts': 1, 'x-warren-copy': 'c-3' });
    const runs = await feed(() => undefined);
    await expect
      .poll(() => runs.toSorted(), patience)
      .toEqual([
        ['one', 2],
        ['two', 2],
      ]);
  });
});

/** Closes a connection by its name, as an operator would. */
async function cut(node: PrivateBroker, name: string): Promise<void> {
  const text = await node.control('list_connections', '--silent', 'pid', 'client_properties');
  const found = text.split('\n').filter((line) => line.includes(`"${name}"`));
  expect(found).toHaveLength(1);
  for (const line of found) await node.control('close_connection', line.split('\t')[0] ?? '', 'test');
}
