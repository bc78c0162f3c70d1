/** A message stays in its vhost, behind a host that makes no copies of its own, such as AWS's mapping. */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rabbitMQEvent } from 'warren/functions';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { deadLetters, retryQueue } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, unique } from '../../support/broker.ts';
import { rotatedUser } from '../../support/rotation.ts';
import { stack } from '../../support/stack.ts';

const orders = unique('orders');
const queue = unique('queue');
const urlOf = (vhost: string) =>
  Object.assign(new URL(stack.AMQP_URL), { pathname: encodeURIComponent(vhost) }).href;
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
