import { connect as connectTo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { copyHeader } from '../../../runtime/amqp/headers.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { delayLevel } from '../../../runtime/topology/delay-names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { withFaultyServer } from '../../support/faults.ts';

const queue = 'reminders';
const patience = { timeout: 60_000, interval: 50 };

describe('late confirms of delayed messages', () => {
  let node: PrivateBroker;
  let model: ChannelModel;
  let channel: Channel;
  const arrived: ConsumeMessage[] = [];

  beforeAll(async () => {
    node = await privateBroker();
    await applyTopology(node.url, compileTopology(readSection({ queues: { [queue]: { delays: true } } })));
    model = await connect(node.url);
    channel = await model.createChannel();
    await channel.consume(queue, (message) => message && arrived.push(message), { noAck: true });
  }, 60_000);
  afterEach(() => {
    arrived.length = 0;
  });
  afterAll(async () => {
    await model.close();
    await node.close();
  });

  const idsOf = () => arrived.map(({ properties }) => properties.messageId as string);
  /** Suspends the process of a level, as a stalled disk does. */
  const stall = async (level: number, ms: number) => {
    const suspended = `erlang:suspend_process(whereis('%2F_${delayLevel(level)}'))`;
    await node.control('eval', `spawn(fun() -> ${suspended}, timer:sleep(${ms}) end), ok.`);
  };
  const send = (publisher: Publisher, messageId: string, delay: number) =>
    publisher.publish({ exchange: '', routingKey: queue, body: null, messageId, delay });

  it('a delayed message whose confirm is late arrives once', async () => {
    const publisher = new Publisher({ url: node.url, name: 'delayed confirm', deadlineMs: 500 });
    const ids: string[] = [];
    const confirms: Promise<number>[] = [];
    try {
      let isStalled = false;
      // The level of 1 s. The command may take longer than the stall, so messages are published all the time.
      const stalling = stall(2, 4000).finally(() => {
        isStalled = true;
      });
      for (let left = 40; left > 0; left -= isStalled ? 1 : 0) {
        const id = `late-${ids.length}`;
        const since = performance.now();
        ids.push(id);
        confirms.push(send(publisher, id, 1000).then(() => performance.now() - since));
        await pause(100);
      }
      await stalling;
      // Each of these would have been published a second time after 500 ms.
      expect(Math.max(...(await Promise.all(confirms)))).toBeGreaterThan(1000);
      await expect.poll(() => new Set(idsOf()).size, patience).toBe(ids.length);
      await send(publisher, 'last', 2000);
      await expect.poll(idsOf, patience).toContain('last');
    } finally {
      await publisher.close();
    }
    expect(idsOf().sort()).toEqual([...ids, 'last'].sort());
  }, 90_000);

  it('a delayed message whose confirm is lost is published again with the identifier by which a worker drops it', async () => {
    let deaf = false;
    // What the broker answers on the first connection is lost.
    const serve = (socket: Socket) => {
      const isDeaf = () => deaf && first === socket;
      first ??= socket;
      const onward = connectTo(node.port, '127.0.0.1');
      onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => onward.destroy()).pipe(onward);
      onward.on('data', (data) => !isDeaf() && socket.write(data));
    };
    let first: Socket | undefined;
    await withFaultyServer(serve, async (port) => {
      const url = new URL(node.url);
      url.host = `127.0.0.1:${port}`;
      const publisher = new Publisher({ url: url.href, name: 'delayed confirm', deadlineMs: 500 });
      try {
        await publisher.ready();
        deaf = true;
        await send(publisher, 'twice', 2000);
      } finally {
        await publisher.close();
      }
    });
    await expect.poll(() => arrived.length, patience).toBe(2);
    const identifiers = arrived.map(({ properties }) => properties.headers?.[copyHeader] as unknown);
    expect(identifiers).toEqual([expect.any(String), identifiers[0]]);
    expect(idsOf()).toEqual(['twice', 'twice']);
  }, 90_000);
});
