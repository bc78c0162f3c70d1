import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createGet } from '../../../functions/bookings/get.ts';
import { createHandler as createList } from '../../../functions/bookings/list.ts';
import { createHandler as createOrderWalk } from '../../../functions/bookings/order-walk.ts';
import { createHandler as createOrderWash } from '../../../functions/bookings/order-wash.ts';
import { createHandler as createWalk } from '../../../functions/bookings/walk.ts';
import { createHandler as createWash } from '../../../functions/bookings/wash.ts';
import { Requester } from '../../../runtime/amqp/requester.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { type Client, startClient } from '../../support/clients/run.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, messageEvent } from '../../support/events.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

/** The queues of production. Only the tests of this file use them. */
const queues = ['dog-walk', 'dog-wash'] as const;
const parts = openDeps();
let broker: TestBroker;
let own: OwnDatabase;
const opened: { close(): Promise<unknown> }[] = [];
const clients: Client[] = [];

const deps = () => ({ ...parts, db: own.db });
const ordersAt = (url = stack.AMQP_URL): Requester => {
  const orders = new Requester({ url, name: unique('orders') });
  opened.push(orders);
  return orders;
};
let orders: Requester;

beforeAll(async () => {
  broker = await openBroker();
  own = await ownDatabase();
  await own.db
    .insertInto('walkers')
    .values([
      { id: 1, name: 'Margaret', email: 'margaret@example.com', phone: null },
      { id: 2, name: 'Dennis', email: 'dennis@example.com', phone: null },
    ])
    .execute();
  orders = new Requester({ url: stack.AMQP_URL, name: unique('orders') });
});
beforeEach(async () => {
  for (const queue of queues) await broker.channel.purgeQueue(queue);
  await own.db.deleteFrom('bookings').execute();
});
afterEach(async () => {
  const left = clients.splice(0);
  for (const client of left) client.kill();
  await Promise.allSettled(left.map(({ done }) => done));
  await Promise.all(opened.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  await orders?.close();
  await own?.drop();
  await broker?.close();
  await parts.close();
});

/** A worker with the functions behind the queues, as serverless.yml maps them. */
const startWorker = async () => {
  const handlers = { 'dog-walk': createWalk(deps()), 'dog-wash': createWash(deps()) };
  const mappings = queues.map((queue) => ({
    functionName: queue,
    queue,
    vhost: '/',
    arn: 'arn:test',
    batchSize: 1,
    windowMs: 500,
  }));
  const source = new EventSource({
    url: stack.AMQP_URL,
    mappings,
    log: silentLog,
    invoke: ({ queue }) => handlers[queue as (typeof queues)[number]],
  });
  await source.start();
  opened.push({ close: () => source.stop() });
};

const hourAhead = () => new Date(Math.ceil(Date.now() / 60_000) * 60_000 + 3_600_000).toISOString();
const walk = (given: Record<string, unknown> = {}) => ({
  dog: 'Rex',
  at: hourAhead(),
  minutes: 30,
  ...given,
});

interface Ask {
  user?: number;
  body?: unknown;
  headers?: Record<string, string>;
  parameters?: Record<string, string>;
  query?: Record<string, string>;
  scopes?: string[];
  path?: string;
}
type Handler = ReturnType<typeof createGet>;
const ask = async (handler: Handler, { user = uniqueId(), scopes, ...settings }: Ask = {}) => {
  const authorization = await bearer(user, scopes);
  const method = settings.body === undefined ? 'GET' : 'POST';
  const reply = await handler(httpEvent({ method, authorization, ...settings }), context);
  const body = JSON.parse(reply.body ?? 'null') as Record<string, unknown>;
  return {
    status: reply.statusCode,
    location: reply.headers?.['location'],
    body,
    headers: reply.headers ?? {},
  };
};
const orderWalk = (settings: Ask & { waitMs?: number; from?: Requester }) => {
  const { waitMs, from = orders, ...rest } = settings;
  return ask(createOrderWalk({ ...deps(), orders: from, waitMs }), {
    body: walk(),
    path: '/dog-walks',
    ...rest,
  });
};
const orderWash = (settings: Ask & { waitMs?: number }) => {
  const { waitMs, ...rest } = settings;
  const body = { dog: 'Rex', at: hourAhead() };
  return ask(createOrderWash({ ...deps(), orders, waitMs }), { body, path: '/dog-washes', ...rest });
};
const look = (location: unknown, user: number) => {
  const path = String(location);
  return ask(createGet(deps()), { user, path, parameters: { id: path.split('/').at(-1) ?? '' } });
};
const long = 8000;

describe('POST /dog-walks', () => {
  it('answers 201 with booking and walker if a worker is quick', async () => {
    await startWorker();
    const user = uniqueId();
    const body = walk();
    const reply = await orderWalk({ user, body, waitMs: long });
    const id = String(reply.body['id']);
    expect(reply).toMatchObject({
      status: 201,
      location: `/dog-walks/${id}`,
      body: { id, status: 'booked', ...body, walker: { name: expect.stringMatching(/Margaret|Dennis/) } },
    });
    expect(await look(reply.location, user)).toMatchObject({ status: 200, body: reply.body });
  });

  it('answers 202 with Location if no worker is quick, and the order continues', async () => {
    const user = uniqueId();
    const reply = await orderWalk({ user, waitMs: 50 });
    expect(reply).toMatchObject({ status: 202, body: { status: 'waiting', walker: null } });
    expect(await look(reply.location, user)).toMatchObject({ status: 200, body: { status: 'waiting' } });
    await startWorker();
    await expect
      .poll(async () => (await look(reply.location, user)).body, { timeout: 10_000 })
      .toMatchObject({ status: 'booked', walker: { name: expect.any(String) } });
  });

  it('publishes a persistent message without expiration and with reply_to', async () => {
    const user = uniqueId();
    const { body } = await orderWalk({ user, waitMs: 50 });
    const { fields, properties, content } = await broker.take('dog-walk');
    expect(fields).toMatchObject({ exchange: 'chihuahua_scheduling', routingKey: 'walk' });
    expect(properties).toMatchObject({
      deliveryMode: 2,
      contentType: 'application/json',
      messageId: `walk-${body['id']}`,
      replyTo: expect.stringMatching(/^amq\.gen-/),
      correlationId: expect.any(String),
      expiration: undefined,
    });
    expect(JSON.parse(content.toString())).toMatchObject({ order_id: body['id'], user_id: user, dog: 'Rex' });
  });

  it('answers immediately with Prefer: respond-async, and publishes without reply_to', async () => {
    const reply = await orderWalk({ headers: { prefer: 'respond-async' }, waitMs: 60_000 });
    expect(reply.status).toBe(202);
    expect((await broker.take('dog-walk')).properties.replyTo).toBeUndefined();
  });

  it('waits as long as Prefer: wait specifies', async () => {
    const waiting = orderWalk({ headers: { prefer: 'wait=5' }, waitMs: 1 });
    const order = await broker.take('dog-walk');
    const { replyTo, correlationId } = order.properties;
    const answer = { status: 'booked', walker: { name: 'Guido' } };
    await broker.send(replyTo, answer, { correlationId, contentType: 'application/json' });
    expect(await waiting).toMatchObject({ status: 201, body: { walker: { name: 'Guido' } } });
  });

  it.each([
    ['makes no sense', { status: 'perhaps' }, {}],
    ['is an error', { status: 'booked' }, { type: 'error' }],
    ['is for somebody else', { status: 'booked' }, { correlationId: 'another' }],
  ])('counts an answer that %s as none', async (_what, answer, properties) => {
    const waiting = orderWalk({ waitMs: 1000 });
    const { replyTo, correlationId } = (await broker.take('dog-walk')).properties;
    await broker.send(replyTo, answer, { correlationId, contentType: 'application/json', ...properties });
    expect(await waiting).toMatchObject({ status: 202, body: { status: 'waiting' } });
  });

  it('answers 503 within 5 s while the broker is unavailable, and books nothing', async () => {
    const startedAt = performance.now();
    const reply = await orderWalk({ from: ordersAt('amqp://127.0.0.1:9') });
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await own.db.selectFrom('bookings').selectAll().execute()).toEqual([]);
  });

  it('accepts an order although connections died unnoticed, and answers 503 within 5 s if all of them die', async () => {
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    let silent = false;
    const serve: typeof proxy.serve = (socket) => {
      if (!silent) proxy.serve(socket);
    };
    await withFaultyServer(serve, async (port) => {
      const from = ordersAt(Object.assign(new URL(stack.AMQP_URL), { port: String(port) }).href);
      const timed = async () => {
        const startedAt = performance.now();
        const { status } = await orderWalk({ from, waitMs: 50 });
        expect(performance.now() - startedAt).toBeLessThan(5000);
        return status;
      };
      expect(await timed()).toBe(202);
      proxy.freeze();
      expect(await timed()).toBe(202);
      proxy.freeze();
      silent = true;
      expect(await timed()).toBe(503);
    });
  });

  it('books once per Idempotency-Key, also if the first attempt was not confirmed', async () => {
    const user = uniqueId();
    const same = { user, body: walk(), headers: { 'idempotency-key': randomUUID() } };
    expect((await orderWalk({ ...same, from: ordersAt('amqp://127.0.0.1:9') })).status).toBe(503);
    const [first, again] = [
      await orderWalk({ ...same, waitMs: 50 }),
      await orderWalk({ ...same, waitMs: 50 }),
    ];
    expect([first.status, again]).toEqual([202, first]);
    expect(await broker.drain('dog-walk')).toHaveLength(1);
    expect((await orderWalk({ ...same, body: walk({ dog: 'Lassie' }) })).status).toBe(422);
    const other = await orderWalk({ ...same, headers: {}, waitMs: 50 });
    expect(other.body['id']).not.toBe(first.body['id']);
  });

  it('publishes the same order again for its key, if the first confirm is unknown', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const same = { user: uniqueId(), body: walk(), headers, path: '/dog-walks' };
    const lost = {
      // The broker accepted the message, but the confirm never arrived.
      async publish(message: Parameters<Requester['publish']>[0]) {
        await orders.publish(message, { waitMs: 0 });
        return ordersAt('amqp://127.0.0.1:9').publish(message);
      },
    };
    const first = await ask(createOrderWalk({ ...deps(), orders: lost }), same);
    const second = await orderWalk({ ...same, waitMs: 50 });
    expect([first.status, second.status]).toEqual([503, 202]);
    const sent = (await broker.drain('dog-walk')).map(
      ({ content }) => JSON.parse(content.toString()) as object,
    );
    expect(sent).toEqual([sent[0], sent[0]]);
  });

  it('accepts orders while the database is unavailable; the function that processes them creates the row', async () => {
    const db = connectDatabase({ url: 'postgres://127.0.0.1:9/warren', name: unique('away') });
    const reply = await ask(createOrderWalk({ ...deps(), db, orders, waitMs: 50 }), { body: walk() });
    await db.destroy();
    expect(reply).toMatchObject({ status: 202, body: { status: 'waiting' } });
    expect(await broker.drain('dog-walk')).toHaveLength(1);
  });

  it.each([
    ['no dog', { dog: '' }, 'dog'],
    ['no time', { at: 'tomorrow' }, 'at'],
    ['a time that is past', { at: '2020-01-01T00:00:00Z' }, 'at'],
    ['a time that is years ahead', { at: '2999-01-01T00:00:00Z' }, 'at'],
    ['half a minute', { minutes: 0.5 }, 'minutes'],
    ['no number', { minutes: '30' }, 'minutes'],
  ])('refuses an order with %s, and names the field', async (_what, change, field) => {
    const reply = await orderWalk({ body: walk(change) });
    expect(reply).toMatchObject({ status: 422, body: { detail: expect.stringContaining(`${field}: `) } });
    expect(await broker.count('dog-walk')).toBe(0);
  });

  it('requires a token with the scope bookings:write', async () => {
    expect((await orderWalk({ scopes: ['pictures:write'] })).status).toBe(403);
    expect((await orderWalk({ headers: { authorization: 'Bearer none' } })).status).toBe(401);
  });
});

describe('GET /dog-walks', () => {
  it('lists the walks of the user, newest first, page by page', async () => {
    const [user, other] = [uniqueId(), uniqueId()];
    const ids: unknown[] = [];
    const headers = { prefer: 'respond-async' };
    for (const dog of ['Rex', 'Lassie', 'Toto']) {
      ids.unshift((await orderWalk({ user, body: walk({ dog }), headers })).body['id']);
      await orderWalk({ user: other, headers });
    }
    await orderWash({ user, headers });
    const list = (query: Record<string, string>, who = user) => ask(createList(deps()), { user: who, query });
    const all = await list({});
    expect(all.body).toMatchObject({ walks: ids.map((id) => ({ id })), next: null });
    const page = await list({ limit: '2' });
    expect(page.body).toMatchObject({ walks: [{ id: ids[0] }, { id: ids[1] }] });
    const { searchParams } = new URL(String(page.body['next']), 'http://x');
    expect((await list(Object.fromEntries(searchParams))).body).toMatchObject({
      walks: [{ id: ids[2] }],
      next: null,
    });
    for (const query of [{ limit: '0' }, { limit: '101' }, { limit: 'all' }, { before: 'x' }]) {
      expect((await list(query as Record<string, string>)).status).toBe(422);
    }
  });

  it('answers 404 for the walks of another user and for unknown ids', async () => {
    const user = uniqueId();
    const { location } = await orderWalk({ user, headers: { prefer: 'respond-async' } });
    expect((await look(location, user)).status).toBe(200);
    expect((await look(location, uniqueId())).status).toBe(404);
    for (const path of [
      '/dog-walks/1',
      `/dog-walks/${randomUUID()}`,
      `/dog-washes/${String(location).split('/')[2]}`,
    ]) {
      expect((await look(path, user)).status).toBe(404);
    }
  });
});

describe('POST /dog-washes', () => {
  it('books a wash and its free walk, and notifies the walker as usual', async () => {
    await startWorker();
    const user = uniqueId();
    const at = hourAhead();
    const reply = await orderWash({ user, body: { dog: 'Rex', at }, waitMs: long });
    expect(reply).toMatchObject({ status: 201, body: { status: 'booked', dog: 'Rex', at, minutes: 60 } });
    expect(await look(reply.location, user)).toMatchObject({ status: 200, body: reply.body });
    const after = new Date(new Date(at).getTime() + 3_600_000).toISOString();
    await expect
      .poll(async () => (await look(reply.body['walk'], user)).body, { timeout: 10_000 })
      .toMatchObject({
        status: 'booked',
        dog: 'Rex',
        at: after,
        minutes: 30,
        walker: { name: expect.any(String) },
      });
  });

  it('answers 202 if no worker is quick, and the wash continues', async () => {
    const user = uniqueId();
    const reply = await orderWash({ user, waitMs: 50 });
    expect(reply).toMatchObject({ status: 202, body: { status: 'waiting', walk: null } });
    await startWorker();
    await expect
      .poll(async () => (await look(reply.location, user)).body, { timeout: 10_000 })
      .toMatchObject({ status: 'booked', walk: expect.stringMatching(/^\/dog-walks\//) });
  });

  it('results in one walk, regardless of repeated deliveries', async () => {
    const wash = { order_id: randomUUID(), user_id: uniqueId(), dog: 'Rex', at: hourAhead() };
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const handle = createWash({ ...deps(), publisher });
    const event = messageEvent('dog-wash', wash, { replyTo: 'somewhere' });
    await Promise.all([handle(event), handle(event), handle(event)]);
    const walks = copies.filter(({ routingKey }) => routingKey === 'walk');
    expect(walks).toEqual([walks[0], walks[0], walks[0]]);
    const book = createWalk({ ...deps(), publisher });
    for (const { body } of walks) await book(messageEvent('dog-walk', body));
    const rows = own.db
      .selectFrom('bookings')
      .select(['service', 'status'])
      .where('user_id', '=', wash.user_id);
    expect((await rows.execute()).sort((a, b) => a.service.localeCompare(b.service))).toEqual([
      { service: 'walk', status: 'booked' },
      { service: 'wash', status: 'booked' },
    ]);
  });
});

describe('a client in Python', () => {
  const start = (file: string, args: readonly string[]) => {
    const client = startClient(file, args);
    clients.push(client);
    return client;
  };
  const order = (user_id: number) => ({ order_id: randomUUID(), user_id, ...walk() });

  it('places an order and gets the answer, and its customer finds it over HTTP', async () => {
    await startWorker();
    const user = uniqueId();
    const placed = order(user);
    const [answer = ''] = await start('order_walk.py', [stack.AMQP_URL, JSON.stringify(placed)]).done;
    const { walker } = JSON.parse(answer) as { walker: unknown };
    expect(await look(`/dog-walks/${placed.order_id}`, user)).toMatchObject({
      status: 200,
      body: { status: 'booked', dog: 'Rex', walker },
    });
  });

  it('places an order without waiting, and it is booked when a worker starts', async () => {
    const user = uniqueId();
    const placed = order(user);
    const args = [stack.AMQP_URL, JSON.stringify(placed), '--no-answer'];
    expect(await start('order_walk.py', args).done).toEqual(['TAKEN']);
    await startWorker();
    const read = async () => (await look(`/dog-walks/${placed.order_id}`, user)).body;
    await expect.poll(read, { timeout: 10_000 }).toMatchObject({ status: 'booked' });
  });

  it('processes an order, with the same HTTP response', async () => {
    const worker = start('walk_worker.py', [stack.AMQP_URL, 'Guido']);
    await worker.printed('READY');
    const user = uniqueId();
    const body = walk();
    const reply = await orderWalk({ user, body, waitMs: long });
    const expected = { id: reply.body['id'], status: 'booked', ...body, walker: { name: 'Guido' } };
    expect(reply).toMatchObject({ status: 201, location: `/dog-walks/${reply.body['id']}`, body: expected });
    expect(await look(reply.location, user)).toMatchObject({ status: 200, body: expected });
    const { walks } = (await ask(createList(deps()), { user })).body;
    expect(walks).toEqual([expected]);
    expect(worker.lines).toContain(`${reply.body['id']} Rex ${body.at} 30`);
  });
});
