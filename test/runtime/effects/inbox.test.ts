import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../../runtime/base/log.ts';
import { Effects } from '../../../runtime/effects/effects.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { awsEvent } from '../../support/aws-event.ts';
import { unique } from '../../support/broker.ts';
import { effectsDatabase } from '../../support/effects.ts';

let own: Awaited<ReturnType<typeof effectsDatabase>>;
beforeAll(async () => {
  own = await effectsDatabase();
});
afterAll(() => own.drop());

const messageOf = (messageId: string | undefined = unique('id')) => ({
  queue: 'parcels',
  vhost: '/',
  messageId,
});

describe.each(['pg', 'kysely', 'drizzle', 'prisma'] as const)('once with %s', (name) => {
  const setUp = () => {
    const { database, ship } = own.clients[name];
    const publisher = recordingPublisher();
    const effects = new Effects({ database, publisher, log: silentLog });
    const parcels = async (parcel: string) =>
      (await own.run`select name from parcels where name = ${parcel}`).length;
    return { effects, publisher, ship, parcels };
  };

  it('an effect happens once for two deliveries of a message', async () => {
    const { effects, ship, parcels } = setUp();
    const message = messageOf();
    const deliver = () =>
      effects.once(message, async ({ db }) => {
        await ship(db, message.messageId);
        return 'shipped';
      });
    expect(await deliver()).toEqual({ done: 'now', result: 'shipped' });
    expect(await deliver()).toEqual({ done: 'before' });
    expect(await parcels(message.messageId)).toBe(1);
  });

  it('an effect happens once for deliveries at the same moment', async () => {
    const { effects, ship, parcels } = setUp();
    const message = messageOf();
    const results = await Promise.all(
      Array.from({ length: 5 }, () => effects.once(message, ({ db }) => ship(db, message.messageId))),
    );
    expect(results.map(({ done }) => done).sort()).toEqual(['before', 'before', 'before', 'before', 'now']);
    expect(await parcels(message.messageId)).toBe(1);
  });

  it('an effect that fails leaves neither rows, nor messages, nor a note', async () => {
    const { effects, publisher, ship, parcels } = setUp();
    const message = messageOf();
    const failing = effects.once(message, async ({ db, publish }) => {
      await ship(db, message.messageId);
      publish({ exchange: '', routingKey: 'shipped', body: message.messageId });
      throw new Error('no label');
    });
    await expect(failing).rejects.toThrow('no label');
    expect(await parcels(message.messageId)).toBe(0);
    expect(publisher.published).toEqual([]);
    expect(await effects.once(message, ({ db }) => ship(db, message.messageId))).toMatchObject({
      done: 'now',
    });
    expect(await parcels(message.messageId)).toBe(1);
  });

  it('two consumers of one message have an effect each', async () => {
    const { effects, ship, parcels } = setUp();
    const message = messageOf();
    const other = { ...message, queue: 'invoices' };
    const work = ({ db }: { db: unknown }) => ship(db, message.messageId);
    expect(await effects.once(message, work)).toMatchObject({ done: 'now' });
    expect(await effects.once(other, work)).toMatchObject({ done: 'now' });
    expect(await effects.once(message, work, { consumer: 'labels' })).toMatchObject({ done: 'now' });
    expect(await parcels(message.messageId)).toBe(3);
  });

  it('a batch has its effects for the messages that are new, each once', async () => {
    const { effects, ship, parcels } = setUp();
    const [first, second] = [messageOf(), messageOf()];
    await effects.once(first, ({ db }) => ship(db, first.messageId));
    const batch = [first, second, { ...second }];
    const deliver = () =>
      effects.onceEach(batch, async ({ db }, fresh) => {
        for (const { messageId } of fresh) await ship(db, messageId);
      });
    expect(await deliver()).toEqual({ fresh: [second] });
    expect(await deliver()).toEqual({ fresh: [] });
    expect([await parcels(first.messageId), await parcels(second.messageId)]).toEqual([1, 1]);
  });

  it('batches with the same messages in different orders end without a deadlock', async () => {
    const { effects, ship, parcels } = setUp();
    const batch = Array.from({ length: 50 }, () => messageOf());
    const deliver = (messages: typeof batch) =>
      effects.onceEach(messages, async ({ db }, fresh) => {
        for (const { messageId } of fresh) await ship(db, messageId);
      });
    await Promise.all([deliver(batch), deliver(batch.toReversed()), deliver(batch)]);
    const counts = await Promise.all(batch.map(({ messageId }) => parcels(messageId)));
    expect(counts).toEqual(batch.map(() => 1));
  });
});

describe('once', () => {
  const effects = () =>
    new Effects({ database: own.clients.pg.database, publisher: recordingPublisher(), log: silentLog });

  it('a message without an id is refused unless it has a key', async () => {
    const message = { queue: 'parcels', vhost: '/' };
    await expect(effects().once(message, async () => 1)).rejects.toMatchObject({
      code: 'ERR_REJECTED',
      message: expect.stringContaining('message_id: expected one'),
    });
    const key = unique('key');
    expect(await effects().once(message, async () => 1, { key })).toMatchObject({ done: 'now' });
    expect(await effects().once(message, async () => 1, { key })).toEqual({ done: 'before' });
  });

  it('behind AWS, whose event has no header of ours, an effect happens once by the message id or by a key of the body', async () => {
    const publisher = recordingPublisher();
    const schema = z.object({ order_id: z.string() });
    const eventOf = (messageId: string | null, order_id: string) =>
      awsEvent([{ queue: 'orders', messageId, body: { order_id } }]);
    const [first, second] = [unique('order'), unique('order')];
    const { database, ship } = own.clients.pg;
    const run = async (byKey: boolean, event: RabbitMQEvent) => {
      const once = new Effects({ database, log: silentLog });
      const handler = onMessages({ schema, publisher, log: silentLog }, (message) => {
        const { order_id: name } = message.body;
        return once.once(message, ({ db }) => ship(db, name), byKey ? { key: name } : {});
      });
      await Promise.all([handler(event), handler(event)]);
    };
    await run(false, eventOf(`id of ${first}`, first));
    await run(true, eventOf(null, second));
    const rows = await own.run`select name from parcels where name in (${first}, ${second})`;
    expect(rows.map(({ name }) => name).sort()).toEqual([first, second].sort());
    expect(publisher.published).toEqual([]);
    await run(false, eventOf(null, first));
    expect(publisher.published[0]?.headers?.['x-warren-error']).toMatch(/message_id: expected one/);
  });

  it('a message of a batch without an id is dead-lettered, and the others have their effect, unless a key identifies it', async () => {
    const { database, ship } = own.clients.pg;
    const names = Array.from({ length: 3 }, () => unique('order'));
    const event = awsEvent(
      names.map((order_id, at) => ({
        queue: 'orders',
        body: { order_id },
        messageId: at === 1 ? null : `id of ${order_id}`,
      })),
    );
    const run = async (options: { key?: (message: Message<{ order_id: string }>) => string }) => {
      const publisher = recordingPublisher();
      const schema = z.object({ order_id: z.string() });
      const once = new Effects({ database, log: silentLog });
      const handler = onBatch({ schema, publisher, log: silentLog }, async (messages) => {
        const work = async ({ db }: { db: unknown }, fresh: typeof messages) => {
          for (const { body } of fresh) await ship(db, body.order_id);
        };
        await once.onceEach(messages, work, options);
      });
      await handler(event);
      const rows =
        await own.run`select name from parcels where name = any(${`{${names.join(',')}}`}::text[])`;
      const errors = publisher.published.map(({ headers }) => String(headers?.['x-warren-error']));
      return { shipped: rows.map(({ name }) => name).sort(), errors };
    };
    const others = names.filter((_, at) => at !== 1).sort();
    const refused = [expect.stringContaining('message_id: expected one')];
    expect(await run({})).toEqual({ shipped: others, errors: refused });
    expect(await run({})).toEqual({ shipped: others, errors: refused });
    const key = ({ messageId, body }: Message<{ order_id: string }>) => messageId ?? `order ${body.order_id}`;
    expect(await run({ key })).toEqual({ shipped: names.toSorted(), errors: [] });
  });

  it('without a publisher, an effect that publishes is refused and leaves nothing', async () => {
    const message = messageOf();
    const once = new Effects({ database: own.clients.pg.database, log: silentLog });
    const publishing = once.once(message, async ({ publish }) =>
      publish({ exchange: '', routingKey: 'q', body: 1 }),
    );
    const expected = { code: 'ERR_CONFIG', message: expect.stringContaining('publisher: expected one') };
    await expect(publishing).rejects.toMatchObject(expected);
    await expect(once.relay()).rejects.toMatchObject(expected);
    expect(await once.once(message, async () => 1)).toMatchObject({ done: 'now' });
  });

  it('an id may hold any character', async () => {
    const message = messageOf(`${unique('id')}\0'"\\u0000 ü 🐇`);
    expect(await effects().once(message, async () => 1)).toMatchObject({ done: 'now' });
    expect(await effects().once(message, async () => 1)).toEqual({ done: 'before' });
    expect(await effects().onceEach([message], async () => 1)).toEqual({ fresh: [] });
  });

  it('notes are removed by age, and a message that comes after that has its effect again', async () => {
    const old = messageOf();
    const recent = messageOf();
    for (const message of [old, recent]) await effects().once(message, async () => 1);
    await own.run`update warren_inbox set done_at = now() - interval '8 days' where message = ${old.messageId}`;
    expect(await effects().cleanUp({ days: 7 })).toEqual({ removed: 1 });
    expect(await effects().once(old, async () => 1)).toMatchObject({ done: 'now' });
    expect(await effects().once(recent, async () => 1)).toEqual({ done: 'before' });
  });
});
