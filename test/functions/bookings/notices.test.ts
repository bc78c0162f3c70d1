import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { OutgoingMessage } from 'warren/functions';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createNotify } from '../../../functions/bookings/notify-walker.ts';
import { createHandler as createText } from '../../../functions/bookings/text-walker.ts';
import { createHandler as createWalk } from '../../../functions/bookings/walk.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { forgetCustomer } from '../../../shared/bookings/forgetting.ts';
import type { WalkOrder } from '../../../shared/bookings/orders.ts';
import { createMailer, mailSettings } from '../../../shared/delivery/mail.ts';
import { createTexts } from '../../../shared/delivery/texts.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';
import { mailsTo } from '../../support/mailbox.ts';

const hour = 3_600_000;
const deps = openDeps();
let own: OwnDatabase;
let server: Server;
let answer: (request: IncomingMessage) => number | undefined;
let retryAfter: string | undefined;
const received: { key: unknown; type: unknown; body: unknown }[] = [];

beforeAll(async () => {
  own = await ownDatabase();
});
beforeEach(async () => {
  await own.db.deleteFrom('bookings').execute();
  await own.db.deleteFrom('walkers').execute();
  received.length = 0;
  answer = () => 202;
  retryAfter = undefined;
  server = createServer(async (request, response) => {
    const body = JSON.parse(await readText(request)) as unknown;
    const { 'idempotency-key': key, 'content-type': type } = request.headers;
    received.push({ key, type, body });
    const status = answer(request);
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
    if (status !== undefined) response.writeHead(status).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});
afterAll(async () => {
  await own?.drop();
  await deps.close();
});

const makeWalker = async (phone: string | null = null) => {
  const id = uniqueId();
  const walker = { id, name: 'Wanda', email: `walker-${id}@example.com`, phone };
  await own.db.insertInto('walkers').values(walker).execute();
  return walker;
};
const walkIn = (ms: number, given: Partial<WalkOrder> = {}): WalkOrder => ({
  order_id: randomUUID(),
  user_id: uniqueId(),
  dog: 'Rex',
  minutes: 30,
  at: new Date(Date.now() + ms).toISOString(),
  ...given,
});
const texts = (timeoutMs?: number) => {
  const { port } = server.address() as AddressInfo;
  return createTexts({ TEXTS_WEBHOOK_URL: `http://127.0.0.1:${port}/send` }, timeoutMs);
};

/** Books a walk, and returns the notice of it and the reminder. */
const book = async (order: WalkOrder) => {
  const publisher = recordingPublisher();
  await createWalk({ db: own.db, mailer: deps.mailer, publisher })(messageEvent('dog-walk', order));
  return publisher.published as readonly OutgoingMessage[];
};
/** Delivers a message to a function, and returns what it published. */
const notify = async (
  message: OutgoingMessage | undefined,
  given: Partial<Parameters<typeof createNotify>[0]> = {},
) => {
  const publisher = recordingPublisher();
  const handler = createNotify({ db: own.db, mailer: deps.mailer, ...given, publisher });
  await handler(messageEvent('walker-notices', message?.body));
  return publisher.published;
};
const text = async (
  message: OutgoingMessage | undefined,
  given: Partial<Parameters<typeof createText>[0]> = {},
) => {
  const publisher = recordingPublisher();
  const handler = createText({ db: own.db, texts: texts(), ...given, publisher });
  await handler(messageEvent('walker-texts', message?.body));
  return publisher.published;
};
const msUntil = (at: Date | undefined) => (at ? at.getTime() - Date.now() : Number.NaN);

describe('the notices of a booking', () => {
  it('a booked walk publishes the notice and then the reminder, an hour before the walk, with the walker as the key', async () => {
    const walker = await makeWalker();
    const order = walkIn(3 * hour);
    const [booked, soon, ...rest] = await book(order);
    expect(rest).toEqual([]);
    const body = { walk_id: order.order_id, walker_id: walker.id };
    const common = { exchange: 'walks', routingKey: 'notice', headers: { walker: String(walker.id) } };
    expect(booked).toMatchObject({ ...common, body: { ...body, notice: 'booked' } });
    expect(booked).not.toHaveProperty('deliverAt');
    expect(soon).toMatchObject({ ...common, body: { ...body, notice: 'soon' } });
    expect(soon?.deliverAt).toEqual(new Date(Date.parse(order.at) - hour));
  });

  it('a reminder is due at once if less than an hour remains, and there is none for a walk that has begun', async () => {
    await makeWalker();
    const [, soon] = await book(walkIn(hour / 2));
    expect(msUntil(soon?.deliverAt)).toBeLessThanOrEqual(0);
    expect(await book(walkIn(-hour))).toMatchObject([{ body: { notice: 'booked' } }]);
  });

  it('the reminder of a walk in more than 776 days, which no message can wait, goes in steps', async () => {
    const walker = await makeWalker();
    const [, soon] = await book(walkIn(1000 * 24 * hour));
    expect(msUntil(soon?.deliverAt)).toBeLessThanOrEqual(365 * 24 * hour);
    const [next, ...rest] = await notify(soon);
    expect(rest).toEqual([]);
    expect(next).toMatchObject({ exchange: 'walks', routingKey: 'notice', body: soon?.body });
    expect(msUntil(next?.deliverAt)).toBeGreaterThan(364 * 24 * hour);
    expect(await mailsTo(walker.email)).toEqual([]);
  });

  it('a walker gets one mail and one text message for the booking, regardless of repeated deliveries', async () => {
    const walker = await makeWalker('+15550100');
    const order = walkIn(3 * hour, { at: '2030-05-01T09:00:00Z' });
    const [booked] = await book(order);
    const copies = await Promise.all([1, 2, 3].map(() => notify(booked)));
    // A delivery that found the mail's lease taken is retried later, and finds everything done.
    const [message] = copies.flat().filter(({ exchange }) => exchange === 'walks');
    expect(message).toMatchObject({ routingKey: 'text', headers: { walker: String(walker.id) } });
    for (const { routingKey } of copies.flat()) expect(routingKey).toMatch(/^text$|\.retry\.1s$/);
    for (const { routingKey } of (await Promise.all([1, 2, 3].map(() => text(message)))).flat())
      expect(routingKey).toMatch(/\.retry\.1s$/);
    expect([await notify(booked), await text(message)]).toMatchObject([[{ routingKey: 'text' }], []]);
    expect(await mailsTo(walker.email)).toMatchObject([
      { subject: 'A dog to walk', text: expect.stringContaining('you walk Rex from Wed, 01 May 2030 09:00') },
    ]);
    expect(received).toEqual([
      {
        key: `walk:${order.order_id}:text`,
        type: 'application/json',
        body: { to: '+15550100', text: expect.stringMatching(/^Warren: you walk Rex from Wed, 01 May 2030/) },
      },
    ]);
  });

  it('a walker gets one mail and one text message for the reminder, beside those for the booking', async () => {
    const walker = await makeWalker('+15550100');
    const [booked, soon] = await book(walkIn(hour / 2));
    for (const message of [booked, soon, soon]) {
      const [next] = await notify(message);
      await text(next);
    }
    const subjects = (await mailsTo(walker.email)).map(({ subject }) => subject);
    expect(subjects.sort()).toEqual(['A dog to walk', 'Your walk begins soon']);
    expect(received.map(({ body }) => (body as { text: string }).text)).toEqual([
      expect.stringMatching(/^Warren: you walk Rex/),
      expect.stringMatching(/^Warren: soon you walk Rex/),
    ]);
  });

  it('a walker without a number gets the mail only, and without a webhook no text message is sent', async () => {
    expect(createTexts({})).toBeUndefined();
    const walker = await makeWalker();
    const [booked] = await book(walkIn(3 * hour));
    expect(await notify(booked)).toEqual([]);
    expect(await mailsTo(walker.email)).toHaveLength(1);
    expect(await text(booked, { texts: undefined })).toEqual([]);
    expect(await text(booked)).toEqual([]);
    expect(received).toEqual([]);
  });

  it('a canceled walk notifies no walker, neither by a reminder nor by a text message that waited', async () => {
    const walker = await makeWalker('+15550100');
    const order = walkIn(hour / 2);
    const [booked, soon] = await book(order);
    const [message] = await notify(booked);
    await forgetCustomer(own.db, order.user_id);
    expect([await notify(soon), await text(message)]).toEqual([[], []]);
    expect(await mailsTo(walker.email)).toHaveLength(1);
    expect(received).toEqual([]);
  });

  it('a reminder that arrives after the walk has begun notifies no walker', async () => {
    const walker = await makeWalker('+15550100');
    const [, soon] = await book(walkIn(hour / 2));
    const now = () => new Date(Date.now() + hour);
    expect([await notify(soon, { now }), await text(soon, { now })]).toEqual([[], []]);
    expect([await mailsTo(walker.email), received]).toEqual([[], []]);
  });

  it('an outage of the mail server delays the mail and not the text message, and the booking stands', async () => {
    const walker = await makeWalker('+15550100');
    const [booked] = await book(walkIn(3 * hour));
    const copies = await withFaultyServer(smtp({ CONNECT: '421 later' }), async (port) => {
      const { mail } = readSettings({ mail: mailSettings }, { SMTP_URL: `smtp://127.0.0.1:${port}` });
      return notify(booked, { mailer: createMailer(mail) });
    });
    expect(copies.map(({ routingKey }) => routingKey)).toEqual(['text', 'walker-notices.retry.1s']);
    await notify(booked);
    expect(await mailsTo(walker.email)).toHaveLength(1);
  });
});

describe('the text message of a notice', () => {
  it.each([
    ['answers 503', 503, undefined, 1],
    ['answers 429', 429, undefined, 1],
    ['answers 429 and asks for 30 s', 429, '30', 60],
    ['says nothing in time', undefined, undefined, 1],
  ])('is sent later while the webhook %s', async (_what, status, asked, seconds) => {
    await makeWalker('+15550100');
    answer = () => status;
    retryAfter = asked;
    const [message] = await notify((await book(walkIn(3 * hour)))[0]);
    // An outage is retried for a day, because it is not the fault of the message.
    expect(await text(message, { texts: texts(200) })).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: expect.stringMatching(new RegExp(`\\.retry\\.${seconds}s$`)),
        headers: { 'x-warren-faults': 0 },
      },
    ]);
    answer = () => 200;
    expect(await text(message)).toEqual([]);
    expect(new Set(received.map(({ key }) => key)).size).toBe(1);
    expect(received).toHaveLength(2);
  });

  it('is dead-lettered after its attempts if the webhook refuses it for good', async () => {
    await makeWalker('+15550100');
    answer = () => 400;
    const copies = await text((await notify((await book(walkIn(3 * hour)))[0]))[0]);
    expect(copies).toMatchObject([{ headers: { 'x-warren-faults': 1 } }]);
    expect(copies[0]?.headers?.['x-warren-error']).toContain('answered 400');
  });
});
