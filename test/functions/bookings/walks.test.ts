import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler } from '../../../functions/bookings/walk.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import type { WalkOrder } from '../../../shared/bookings/orders.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { createMailer, mailSettings } from '../../../shared/delivery/mail.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { mailsTo } from '../../support/mailbox.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
let own: OwnDatabase;
beforeAll(async () => {
  own = await ownDatabase();
});
beforeEach(async () => {
  await own.db.deleteFrom('bookings').execute();
  await own.db.deleteFrom('walkers').execute();
});
afterAll(async () => {
  await own?.drop();
  await deps.close();
});

const makeWalkers = async (count: number, phone: string | null = null) => {
  const walkers = Array.from({ length: count }, (_, n) => {
    const id = uniqueId();
    return { id, name: `Walker ${n}`, email: `walker-${id}@example.com`, phone };
  }).sort((one, other) => one.id - other.id);
  await own.db.insertInto('walkers').values(walkers).execute();
  return walkers;
};
const makeCustomer = async () => {
  const id = uniqueId();
  const customer = { id, name: 'Ada', email: `ada-${id}@example.com` };
  await own.db.insertInto('users').values(customer).execute();
  return customer;
};

const walkAt = (at = '09:00', given: Partial<WalkOrder> = {}): WalkOrder => ({
  order_id: randomUUID(),
  user_id: uniqueId(),
  dog: 'Rex',
  at: `2030-05-01T${at}:00Z`,
  minutes: 30,
  ...given,
});

type Settings = Partial<Parameters<typeof createHandler>[0]> & {
  message?: Parameters<typeof messageEvent>[2];
};
/** Delivers an order once and returns the messages that the function published, without the walker's notices. */
const deliver = async (order: unknown, { message, ...given }: Settings = {}) => {
  const publisher = recordingPublisher();
  const copies = publisher.published;
  const handler = createHandler({ db: own.db, mailer: deps.mailer, ...given, publisher });
  await handler(messageEvent('dog-walk', order, message));
  return copies.filter(({ exchange }) => exchange !== 'walks');
};
const row = async ({ order_id }: WalkOrder) =>
  own.db.selectFrom('bookings').selectAll().where('id', '=', order_id).executeTakeFirstOrThrow();
const walkerOf = async (order: WalkOrder) => (await row(order)).walker_id;

describe('an order for a walk', () => {
  it('is booked once, also for repeated and concurrent deliveries', async () => {
    const [walker] = await makeWalkers(1);
    const order = walkAt();
    const copies = await Promise.all([1, 2, 3, 4].map(() => deliver(order)));
    expect(copies.flat()).toEqual([]);
    expect(await own.db.selectFrom('bookings').select(['status', 'walker_id']).execute()).toEqual([
      { status: 'booked', walker_id: walker?.id },
    ]);
  });

  it('goes to the free walker with the least work around that time', async () => {
    const [first, second, third] = await makeWalkers(3);
    const orders = [
      walkAt('09:00', { minutes: 60 }),
      walkAt('09:30', { minutes: 20 }),
      walkAt('09:30', { minutes: 40 }),
      // All are free from 10:10 on; the second has the least to do.
      walkAt('10:10', { minutes: 10 }),
      walkAt('10:20', { minutes: 10 }),
      // The second has as little as the third now, and comes before it.
      walkAt('10:30', { minutes: 10 }),
    ];
    for (const order of orders) await deliver(order);
    expect(await Promise.all(orders.map(walkerOf))).toEqual([
      ...[first?.id, second?.id, third?.id, second?.id, second?.id, second?.id],
    ]);
  });

  it('ignores work on another day', async () => {
    const [first] = await makeWalkers(2);
    await deliver(walkAt('08:00', { at: '2030-04-28T08:00:00Z', minutes: 480 }));
    const order = walkAt();
    await deliver(order);
    expect(await walkerOf(order)).toBe(first?.id);
  });

  it('may start at the end of another walk', async () => {
    await makeWalkers(1);
    for (const at of ['09:00', '09:30', '08:30']) expect(await deliver(walkAt(at))).toEqual([]);
    expect(await deliver(walkAt('09:15'))).toMatchObject([
      { exchange: 'warren.retry', routingKey: expect.stringMatching(/\.retry\.1s$/) },
    ]);
  });

  it('never doubles a walker, with forty orders for one time and four workers', async () => {
    const walkers = await makeWalkers(7);
    const workers = Array.from({ length: 4 }, (_, n) =>
      connectDatabase({ url: own.url, name: `worker ${n}` }),
    );
    const orders = Array.from({ length: 40 }, (_, n) => walkAt(`09:${String(n % 20).padStart(2, '0')}`));
    await Promise.all(
      // Each comes twice, to two workers.
      orders.flatMap((order, n) => [n, n + 1].map((to) => deliver(order, { db: workers[to % 4] ?? own.db }))),
    );
    await Promise.all(workers.map((worker) => worker.destroy()));
    const booked = await own.db
      .selectFrom('bookings')
      .select('walker_id')
      .where('status', '=', 'booked')
      .execute();
    // All overlap: one each.
    expect(booked.map(({ walker_id }) => walker_id).sort()).toEqual(walkers.map(({ id }) => id).sort());
  });

  it('is spread evenly, with forty orders at the same moment for different times', async () => {
    const walkers = await makeWalkers(4);
    const orders = Array.from({ length: 40 }, (_, n) =>
      walkAt(`${String(6 + Math.floor(n / 6)).padStart(2, '0')}:${n % 6}0`, { minutes: 10 }),
    );
    await Promise.all(orders.map((order) => deliver(order)));
    const rows = await own.db
      .selectFrom('bookings')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .groupBy('walker_id')
      .execute();
    expect(rows.map(({ count }) => count)).toEqual(walkers.map(() => 10));
  });

  it('is refused by the table if it would book a walker twice, also without the function', async () => {
    const [walker] = await makeWalkers(1);
    const order = walkAt();
    await deliver(order);
    const { order_id, ...other } = walkAt();
    const twice = own.db
      .insertInto('bookings')
      .values({
        id: order_id,
        service: 'walk',
        user_id: other.user_id,
        dog: other.dog,
        walker_id: walker?.id ?? 0,
        starts_at: new Date('2030-05-01T09:29:00Z'),
        ends_at: new Date('2030-05-01T09:50:00Z'),
      })
      .execute();
    await expect(twice).rejects.toThrow('bookings_one_at_a_time');
  });

  it('gets a reply to reply_to with its correlation id, and none without reply_to', async () => {
    const [walker] = await makeWalkers(1);
    const message = { replyTo: 'somewhere', correlationId: 'c-1' };
    expect(await deliver(walkAt(), { message })).toEqual([
      {
        exchange: '',
        routingKey: 'somewhere',
        correlationId: 'c-1',
        persistent: false,
        mandatory: false,
        body: { status: 'booked', walker: { name: walker?.name } },
      },
    ]);
    expect(await deliver(walkAt('10:00'))).toEqual([]);
  });

  it('is dead-lettered if its id belongs to another order, which stays unchanged', async () => {
    await makeWalkers(1);
    const order = walkAt();
    await deliver(order);
    const before = await row(order);
    for (const change of [{ dog: 'Lassie' }, { minutes: 31 }, { user_id: uniqueId() }]) {
      const copies = await deliver({ ...order, ...change });
      expect(copies).toMatchObject([{ exchange: 'warren.dead', headers: { 'x-warren-reason': 'rejected' } }]);
    }
    expect(await row(order)).toEqual(before);
  });

  it.each([
    ['order_id', 'abc'],
    ['user_id', 0],
    ['dog', ''],
    ['dog', 'R\u0000x'],
    ['at', '2030-05-01'],
    ['at', '2030-05-01T09:00:00'],
    ['at', '0001-05-01T09:00:00Z'],
    ['minutes', 0],
    ['minutes', 'thirty'],
    ['minutes', 481],
  ])('is dead-lettered if %s is %j, with the name of the field', async (field, value) => {
    const copies = await deliver({ ...walkAt(), [field]: value });
    expect(copies).toMatchObject([{ exchange: 'warren.dead', routingKey: 'dog-walk' }]);
    expect(copies[0]?.headers?.['x-warren-error']).toContain(`${field}: `);
  });
});

describe('an order without a free walker', () => {
  const lastTry = { message: { headers: { 'x-warren-attempts': 4, 'x-warren-faults': 4 } } };
  const away = () =>
    createMailer(readSettings({ mail: mailSettings }, { ...stack, SMTP_URL: 'smtp://127.0.0.1:9' }).mail);

  it('waits, is retried, and is booked when a walker is free', async () => {
    const customer = await makeCustomer();
    const order = walkAt('09:00', { user_id: customer.id });
    expect(await deliver(order)).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: 'dog-walk.retry.1s',
        headers: { 'x-warren-error': expect.stringContaining('no walker is free from 2030-05-01T09:00') },
      },
    ]);
    expect(await row(order)).toMatchObject({ status: 'waiting', walker_id: null });
    const [walker] = await makeWalkers(1);
    expect(await deliver(order)).toEqual([]);
    expect(await walkerOf(order)).toBe(walker?.id);
    expect(await mailsTo(customer.email)).toEqual([]);
  });

  it('is declined after the last attempt, and its customer is notified once', async () => {
    const customer = await makeCustomer();
    const order = walkAt('09:00', { user_id: customer.id });
    expect(await deliver(order, lastTry)).toMatchObject([
      { exchange: 'warren.dead', headers: { 'x-warren-reason': 'exhausted' } },
    ]);
    expect(await row(order)).toMatchObject({ status: 'declined' });
    expect(await mailsTo(customer.email)).toMatchObject([
      { subject: 'No walk this time', text: expect.stringContaining('no walker is free to walk Rex') },
    ]);
    // Replayed when a walker is free again: its customer got a refusal, and may have found another walker.
    const [walker] = await makeWalkers(1);
    expect(await deliver(order)).toEqual([]);
    expect(await row(order)).toMatchObject({ status: 'declined', walker_id: null });
    expect([await mailsTo(customer.email), await mailsTo(walker?.email ?? '')]).toMatchObject([[{}], []]);
  });

  it('is declined once and notifies once if its last attempt is delivered twice at the same moment', async () => {
    const customer = await makeCustomer();
    const order = walkAt('09:00', { user_id: customer.id });
    const copies = await Promise.all([deliver(order, lastTry), deliver(order, lastTry)]);
    // The delivery that found the lease taken is retried later, and finds everything done.
    for (const { exchange } of copies.flat()) expect(exchange).toMatch(/^warren\.(dead|retry)$/);
    expect(await deliver(order, lastTry)).toEqual([]);
    expect(await row(order)).toMatchObject({ status: 'declined' });
    expect(await mailsTo(customer.email)).toHaveLength(1);
  });

  it('is retried after the last attempt until its customer can be notified', async () => {
    const customer = await makeCustomer();
    const order = walkAt('09:00', { user_id: customer.id });
    const mailer = away();
    for (const _again of [1, 2]) {
      const copies = await deliver(order, { ...lastTry, mailer });
      expect(copies).toMatchObject([{ exchange: 'warren.retry' }]);
    }
    expect(await deliver(order, lastTry)).toEqual([]);
    expect(await mailsTo(customer.email)).toHaveLength(1);
  });

  it('is declined also for an unknown user', async () => {
    const order = walkAt();
    expect(await deliver(order, lastTry)).toMatchObject([{ exchange: 'warren.dead' }]);
    expect(await row(order)).toMatchObject({ status: 'declined' });
  });

  it('is not declined by another message with the same id', async () => {
    const order = walkAt();
    await deliver(order);
    await deliver({ ...order, dog: 'Lassie' }, lastTry);
    expect(await row(order)).toMatchObject({ status: 'waiting' });
  });
});
