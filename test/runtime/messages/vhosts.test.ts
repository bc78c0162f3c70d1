/** A message stays in its vhost, in our hosts and behind one that makes no copies of its own, such as AWS's mapping. */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rabbitMQEvent } from 'warren/functions';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { deadLetters, retryQueue } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, unique } from '../../support/broker.ts';
import { rotatedUser } from '../../support/rotation.ts';
import { openVhost, type TestVhost, urlOf } from '../../support/vhost.ts';
import { WorkerFolder } from '../../support/worker-process.ts';

const orders = unique('orders');
const queue = unique('queue');
const options = { publisher: new Publisher({ url: urlOf('/'), name: unique('vhosts') }), log: silentLog };
const vhosts: { model: ChannelModel; channel: Channel }[] = [];

beforeAll(async () => {
  await management('PUT', `/vhosts/${orders}`);
  const topology = compileTopology(readSection({ queues: { [queue]: {} }, retryDelays: [1] }));
  for (const url of [urlOf('/'), urlOf(orders)]) {
    await applyTopology(url, topology);
    const model = await connect(url);
    vhosts.push({ model, channel: await model.createChannel() });
  }
});
afterAll(async () => {
  await options.publisher.close();
  await vhosts[0]?.channel.deleteQueue(queue);
  await vhosts[0]?.channel.deleteQueue(retryQueue(queue, 1));
  await Promise.all(vhosts.map(({ model }) => model.close()));
  await management('DELETE', `/vhosts/${orders}`);
});

/** Waits for a message in the vhost `orders`; the queue of the same name in `/` has none. */
async function taken(name: string): Promise<{ content: string; id: unknown }> {
  const [main, other] = vhosts.map(({ channel }) => channel) as [Channel, Channel];
  return vi.waitFor(
    async () => {
      const message = await other.get(name, { noAck: true });
      if (!message) throw new Error(`no message in ${name}`);
      expect((await main.checkQueue(queue)).messageCount).toBe(0);
      return { content: message.content.toString(), id: message.properties.messageId };
    },
    { timeout: 15_000, interval: 100 },
  );
}

const eventWith = (id: string, more: object = {}) =>
  rabbitMQEvent([{ body: id, messageId: id, queue, vhost: orders, ...more }]);

describe('a message of another vhost than that of AMQP_URL', () => {
  it('vhosts: a retry copy comes home to the queue in the vhost of its message', async () => {
    const handler = onMessages(options, async () => {
      throw new Error('later');
    });
    await handler(eventWith('retried'));
    expect(await taken(queue)).toEqual({ content: '"retried"', id: 'retried' });
  });

  it('vhosts: a dead letter is filed in the vhost of its message', async () => {
    const handler = onMessages(options, async () => {
      throw new RejectedError('never');
    });
    await handler(eventWith('rejected'));
    expect(await taken(deadLetters)).toEqual({ content: '"rejected"', id: 'rejected' });
  });

  it('vhosts: a reply goes to the vhost of its call', async () => {
    const reply = await vhosts[1]?.channel.assertQueue('', { exclusive: true });
    const handler = onCalls(options, async () => 'pong');
    await handler(eventWith('called', { replyTo: reply?.queue, correlationId: 'c' }));
    expect((await taken(reply?.queue ?? '')).content).toBe('pong');
  });

  it('vhosts: without a right to the vhost the call fails and names it, and publishes nowhere', async () => {
    // Its right is for `/` alone.
    const user = await rotatedUser();
    const publisher = new Publisher({ url: user.url, name: unique('vhosts') });
    const handler = onMessages({ ...options, publisher }, async () => {
      throw new RejectedError('never');
    });
    try {
      await expect(handler(eventWith('stays'))).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        cause: {
          code: 'ERR_BROKER_REFUSED',
          message: expect.stringContaining(`/${orders} refused the virtual host`),
        },
      });
    } finally {
      await publisher.close();
      await user.remove();
    }
  });

  it('vhosts: an event names the vhost that was read, if the URL names it and the mapping does not', async () => {
    const seen: string[] = [];
    const source = new EventSource({
      url: urlOf(orders),
      mappings: [{ functionName: 'f', queue, vhost: '/', arn: 'a', batchSize: 1, windowMs: 10 }],
      invoke:
        () =>
        async ({ rmqMessagesByQueue }) =>
          void seen.push(...Object.keys(rmqMessagesByQueue)),
      log: silentLog,
    });
    await source.start();
    vhosts[1]?.channel.sendToQueue(queue, Buffer.from('1'));
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual([`${queue}::${orders}`]);
    await source.stop();
  });
});

const stay = `
import { onCalls, onMessages, Publisher, publisherFor, RejectedError } from 'warren/functions';

const publisher = new Publisher({ url: process.env.AMQP_URL, name: 'vhosts' });
export const work = onMessages({ publisher }, async ({ body, attempt, vhost }) => {
  if (body === 'later' && attempt === 1) throw new Error('later');
  if (body === 'never') throw new RejectedError('never');
  await publisherFor(publisher, { vhost }).publish({ exchange: '', routingKey: 'done', body: [body, attempt, vhost] });
});
export const calls = onCalls({ publisher }, async ({ vhost }) => vhost);
`;

describe('one worker with functions of two vhosts', () => {
  const section = { queues: { work: {}, done: {}, calls: { kind: 'rpc' } }, retryDelays: [1] };
  const names = ['work', 'work.retry.1s', 'done', 'calls', deadLetters];
  let folder: WorkerFolder;
  let own: TestVhost;
  let other: TestVhost;

  beforeAll(async () => {
    folder = await WorkerFolder.make();
    await folder.write('stay.mjs', stay);
    [own, other] = [await openVhost(section), await openVhost(section)];
    const fed = (handler: string, queue: string, event = {}) => ({
      handler: `stay.${handler}`,
      events: [{ rabbitmq: { queue, ...event } }],
    });
    const there = { virtualHost: other.name };
    await folder.manifest(
      {
        work: fed('work', 'work'),
        workThere: fed('work', 'work', there),
        calls: fed('calls', 'calls'),
        callsThere: fed('calls', 'calls', there),
      },
      section,
    );
  });
  afterAll(async () => {
    await folder.remove();
    await Promise.all([own.close(), other.close()]);
  });

  const send = async ({ channel }: TestVhost, queue: string, body: unknown, properties = {}) => {
    const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    channel.sendToQueue(queue, content, { persistent: true, mandatory: true, ...properties });
    await channel.waitForConfirms();
  };
  const text = ({ content }: { content: Buffer }) => content.toString();

  it.each([
    ['in the process of the worker', []],
    ['in processes of their own', ['--processes', '1']],
  ])(
    'vhosts: %s, a retry, dead letter, replay, reply and oversized message of one vhost never reach the other',
    async (_where, args) => {
      await folder.start(args, { AMQP_URL: own.url });
      for (const [vhost, empty] of [
        [other, own],
        [own, other],
      ] as const) {
        await send(vhost, 'work', 'later');
        expect(JSON.parse(text(await vhost.take('done')))).toEqual(['later', 2, vhost.name]);

        await send(vhost, 'work', 'never', { messageId: 'never' });
        await expect.poll(() => vhost.count(deadLetters), { timeout: 20_000 }).toBe(1);
        const { replayed } = await replayDeadLetters(vhost.url, { id: 'never' });
        expect(replayed).toEqual([{ id: 'never', queue: 'work', reason: 'rejected' }]);
        expect(text(await vhost.take(deadLetters))).toBe('"never"');

        await send(vhost, 'work', Buffer.alloc(1024 * 1024 + 1, 'x'));
        const { properties } = await vhost.take(deadLetters);
        expect(properties.headers?.['x-warren-error']).toContain('maxMessageBytes');

        const { queue: replyTo } = await vhost.channel.assertQueue('', { exclusive: true });
        await send(vhost, 'calls', {}, { replyTo, correlationId: 'c' });
        expect(text(await vhost.take(replyTo))).toBe(vhost.name);
        await send(vhost, 'calls', Buffer.from('no JSON'), { replyTo, correlationId: 'c' });
        expect((await vhost.take(replyTo)).properties.type).toBe('error');

        for (const name of names) expect(await empty.count(name), name).toBe(0);
      }
      await folder.clear();
    },
    90_000,
  );
});
