import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectFile } from '../../../dev/stack/project.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { awsEvent } from '../../support/aws-event.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';
import { stack } from '../../support/stack.ts';
import { openVhost } from '../../support/vhost.ts';

describe('outbox', () => {
  let own: Awaited<ReturnType<typeof effectsDatabase>>;
  let broker: TestBroker;
  const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('outbox') });
  beforeAll(async () => {
    [own, broker] = await Promise.all([effectsDatabase(), openBroker()]);
  });
  afterAll(async () => {
    await Promise.all([publisher.close(), broker.close()]);
    await own.drop();
  });

  const effectsWith = (given: ConstructorParameters<typeof Effects>[0]['publisher'] = publisher) =>
    new Effects({ database: own.clients.pg.database, publisher: given, log: silentLog });
  const messageOf = () => ({ queue: 'parcels', vhost: '/', messageId: unique('id') });
  const waiting = async () => (await own.run`select id from warren_outbox`).length;
  /** Makes what waits due, in place of waiting for it. */
  const makeDue = () => own.run`update warren_outbox set due_at = now()`;
  const unavailable = {
    publish: async () => {
      throw new UnavailableError('broker', 'down');
    },
  };

  it('a message is published after the commit with its properties, and leaves nothing behind', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    let before = -1;
    await effectsWith().once(message, async ({ publish }) => {
      publish({
        exchange: '',
        routingKey: queue,
        messageId: message.messageId,
        body: { amount: 1.5 },
        headers: { tenant: 'a', nested: { level: 1 } },
        type: 'shipped',
      });
      before = await broker.count(queue);
    });
    expect(before).toBe(0);
    const { properties, content } = await broker.take(queue);
    expect(JSON.parse(content.toString())).toEqual({ amount: 1.5 });
    expect(properties).toMatchObject({
      messageId: message.messageId,
      contentType: 'application/json',
      type: 'shipped',
      deliveryMode: 2,
      headers: { tenant: 'a', nested: { level: 1 } },
    });
    expect(await waiting()).toBe(0);
  });

  it('a message of a process that was killed after the commit is published by the relay', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    const child = spawn(process.execPath, [
      ...['--import', 'tsx', projectFile('test/support/effects-process.ts')],
      ...[own.url, message.messageId, queue],
    ]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await broker.count(queue)).toBe(0);
    // The message belongs to its process for some seconds, in case that it is only slow.
    expect(await effectsWith().relay()).toEqual({ sent: 0, failed: 0 });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    const { properties } = await broker.take(queue);
    expect(properties.messageId).toBe(message.messageId);
    expect(await effectsWith().once(message, async () => 1)).toEqual({ done: 'before' });
    expect(await waiting()).toBe(0);
  });

  it('a delayed message is stored with the time at which it is due, and the relay publishes it with the delay that is left', async () => {
    const vhost = await openVhost({ queues: { later: { delays: true } } });
    const there = new Publisher({ url: vhost.url, name: unique('outbox') });
    try {
      const before = Date.now();
      await effectsWith(unavailable).transaction(async ({ publish }) => {
        publish({ exchange: '', routingKey: 'later', body: 1, delay: '1.5 seconds' });
      });
      expect(await waiting()).toBe(1);
      await makeDue();
      expect(await effectsWith(there).relay()).toEqual({ sent: 1, failed: 0 });
      const { properties } = await vhost.take('later');
      const due = Date.parse(properties.headers?.['x-warren-due-at']);
      expect(due - before).toBeGreaterThanOrEqual(1500);
      expect(Date.now()).toBeGreaterThanOrEqual(due);
      expect(properties.headers).not.toHaveProperty('x-routing-key');
    } finally {
      await there.close();
      await vhost.close();
    }
  });

  it('a wrong delay fails the transaction by the name of the field', async () => {
    const publishing = effectsWith().transaction(async ({ publish }) => {
      publish({ exchange: '', routingKey: 'later', body: 1, delay: -1 });
    });
    await expect(publishing).rejects.toThrow('delay: expected milliseconds or a text such as "3 days"');
  });

  it('headers about the way of another message are not stored, and the end of a message is', async () => {
    const queue = await broker.queue();
    const headers = {
      tenant: 'a',
      'x-warren-attempts': 3,
      'x-warren-error': Buffer.from([255]),
      'x-death': [{ queue: 'other', time: new Date() }],
    };
    const expiresAt = new Date('2999-01-01T00:00:00Z');
    await effectsWith(unavailable).transaction(async ({ publish }) => {
      publish({ exchange: '', routingKey: queue, body: 1, headers, expiresAt });
    });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    const { 'x-delivery-count': _, ...sent } = (await broker.take(queue)).properties.headers ?? {};
    expect(sent).toEqual({ tenant: 'a', 'x-warren-expires-at': expiresAt.toISOString() });
  });

  it.each([new Date(Number.NaN), 'soon'])(
    'an end of %j fails the transaction, because the relay could never publish such a message',
    async (expiresAt) => {
      const publishing = effectsWith().transaction(async ({ publish }) => {
        publish({ exchange: '', routingKey: 'q', body: 1, expiresAt });
      });
      await expect(publishing).rejects.toThrow('expiresAt: expected a time');
      expect(await waiting()).toBe(0);
    },
  );

  it('the effect stands if the broker is unavailable, and the relay publishes its message later', async () => {
    const queue = await broker.queue();
    const message = messageOf();
    const result = await effectsWith(unavailable).once(message, async ({ publish }) =>
      publish({ exchange: '', routingKey: queue, body: Buffer.from([0, 255]) }),
    );
    await makeDue();
    expect(await effectsWith(unavailable).relay()).toEqual({ sent: 0, failed: 1 });
    // It waits before its next try.
    expect(await effectsWith().relay()).toEqual({ sent: 0, failed: 0 });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    const { properties, content } = await broker.take(queue);
    expect(result).toEqual({ done: 'now', result: properties.messageId });
    expect([...content]).toEqual([0, 255]);
    expect(properties.contentType).toBeUndefined();
  });

  it('a message that reaches no queue stays with its error, and lets others pass', async () => {
    const queue = await broker.queue();
    await effectsWith(unavailable).once(messageOf(), async ({ publish }) => {
      publish({ exchange: '', routingKey: unique('missing'), body: 1 });
      publish({ exchange: '', routingKey: queue, body: 2 });
    });
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 1 });
    expect((await broker.take(queue)).content.toString()).toBe('2');
    const rows = await own.run`select failures, error, due_at > now() as later from warren_outbox`;
    expect(rows).toEqual([{ failures: 1, error: expect.stringContaining('UnroutableError'), later: true }]);
    await own.run`delete from warren_outbox`;
  });

  it('while the broker is unavailable, a message waits a second for its next try, however often it has failed', async () => {
    await effectsWith(unavailable).once(messageOf(), async ({ publish }) =>
      publish({ exchange: '', routingKey: 'q', body: 1 }),
    );
    for (let n = 0; n < 12; n += 1) {
      await makeDue();
      expect(await effectsWith(unavailable).relay()).toEqual({ sent: 0, failed: 1 });
    }
    const rows =
      await own.run`select due_at <= now() + interval '1 second' as soon, error from warren_outbox`;
    expect(rows).toEqual([{ soon: true, error: expect.stringContaining('UnavailableError') }]);
    await own.run`delete from warren_outbox`;
  });

  it('a transaction without a message publishes after its commit, and nothing after a rollback', async () => {
    const queue = await broker.queue();
    const publishing = (messageId: string) => ({ exchange: '', routingKey: queue, messageId, body: 1 });
    const failing = effectsWith().transaction(async ({ publish }) => {
      publish(publishing('rolled back'));
      throw new Error('no label');
    });
    await expect(failing).rejects.toThrow('no label');
    const result = await effectsWith().transaction(async ({ publish }) => publish(publishing('committed')));
    expect(result).toBe('committed');
    expect((await broker.drain(queue)).map(({ properties }) => properties.messageId)).toEqual(['committed']);
    await effectsWith(unavailable).transaction(async ({ publish }) => publish(publishing('relayed')));
    await makeDue();
    expect(await effectsWith().relay()).toEqual({ sent: 1, failed: 0 });
    expect((await broker.take(queue)).properties.messageId).toBe('relayed');
  });

  it('relays at the same time share the messages', async () => {
    const recording = recordingPublisher();
    await effectsWith(unavailable).once(messageOf(), async ({ publish }) => {
      for (let n = 0; n < 200; n += 1) publish({ exchange: 'parcels', routingKey: 'shipped', body: n });
    });
    await makeDue();
    const effects = effectsWith(recording);
    const runs = await Promise.all([1, 2, 3, 4].map(() => effects.relay({ limit: 60 })));
    expect(runs.reduce((sum, { sent }) => sum + sent, 0)).toBe(recording.published.length);
    while ((await effects.relay({ limit: 60 })).sent > 0);
    expect(recording.published).toHaveLength(200);
    expect(new Set(recording.published.map(({ messageId }) => messageId)).size).toBe(200);
  });

  it('behind AWS, whose event has no header of ours, a message is published once for two deliveries at the same moment', async () => {
    const queue = await broker.queue();
    const [first, second] = [unique('order'), unique('order')];
    const message = (order_id: string, messageId: string | null) => ({
      queue: 'orders',
      messageId,
      body: { order_id },
    });
    const event = awsEvent([message(first, first), message(second, null)]);
    const schema = z.object({ order_id: z.string() });
    const effects = effectsWith();
    const run = onMessages({ schema, publisher, log: silentLog }, (each) =>
      effects.once(
        each,
        async ({ publish }) =>
          publish({ exchange: '', routingKey: queue, messageId: each.body.order_id, body: 1 }),
        { key: each.body.order_id },
      ),
    );
    await Promise.all([run(event), run(event)]);
    await run(event);
    const ids = (await broker.drain(queue)).map(({ properties }) => properties.messageId as string);
    expect(ids.toSorted()).toEqual([first, second].toSorted());
    expect(await waiting()).toBe(0);
  });

  it('a header that JSON does not have is refused by its name, and the effect does not happen', async () => {
    const message = messageOf();
    const publishing = effectsWith().once(message, async ({ publish }) =>
      publish({ exchange: '', routingKey: 'q', body: 1, headers: { key: Buffer.from('a') } }),
    );
    await expect(publishing).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: 'headers.key: expected JSON values, because the outbox stores headers as JSON, got Buffer',
    });
    expect(await effectsWith().once(message, async () => 1)).toMatchObject({ done: 'now' });
  });
});
