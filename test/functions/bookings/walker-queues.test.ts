import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Publisher, type RabbitMQEvent } from 'warren/functions';
import { parse } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';
import { createHandler as createNotify } from '../../../functions/bookings/notify-walker.ts';
import { createHandler as createText } from '../../../functions/bookings/text-walker.ts';
import { createHandler as createWalk } from '../../../functions/bookings/walk.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { queueSettings } from '../../../runtime/topology/queue-settings.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import type { Text } from '../../../shared/delivery/texts.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { feeding } from '../../support/feeding.ts';
import { mailsTo } from '../../support/mailbox.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const patience = { timeout: 120_000, interval: 100 };
const deps = openDeps();
const sources: EventSource[] = [];
let own: OwnDatabase;
let vhost: TestVhost;
let publisher: Publisher;
let section: object;
let settings: ReturnType<typeof queueSettings>;
beforeAll(async () => {
  const { custom } = parse(await readFile(projectFile('serverless.yml'), 'utf8')) as {
    custom: { warren: object };
  };
  // Without the methods and logins of other systems.
  section = { ...custom.warren, users: {} };
  settings = queueSettings(readSection(section));
  [own, vhost] = await Promise.all([ownDatabase(), openVhost(section)]);
  publisher = new Publisher({ url: vhost.url, name: 'test' });
  await own.db.deleteFrom('walkers').execute();
});
afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
  await own.db.deleteFrom('bookings').execute();
  await own.db.deleteFrom('walkers').execute();
});
afterAll(async () => {
  await publisher?.close();
  await vhost?.close();
  await own?.drop();
  await deps.close();
});

/** Feeds a function from its queue with the settings of serverless.yml, and retries after a second. */
const feed = async (queue: string, handler: (event: RabbitMQEvent) => Promise<unknown>) => {
  const { concurrency = 1, order, maxMessageBytes } = settings[queue] ?? {};
  const own = { url: vhost.url, vhost: vhost.name, concurrency, ...(order && { order }), maxMessageBytes };
  sources.push(await feeding(queue, handler, own));
};
const makeWalker = async (phone: string | null = null) => {
  const id = uniqueId();
  const walker = { id, name: 'Wanda', email: `walker-${id}@example.com`, phone };
  await own.db.insertInto('walkers').values(walker).execute();
  return walker;
};
const order = async (dog: string, ms: number) => {
  const at = new Date(Date.now() + ms).toISOString();
  const body = { order_id: randomUUID(), user_id: 1, dog, at, minutes: 10 };
  await publisher.publish({ exchange: 'chihuahua_scheduling', routingKey: 'walk', body });
};
const minute = 60_000;

describe('the queues of the walkers', () => {
  it('walker-notices: a walker gets the mails in the order of the bookings, and each reminder after its booking, while the mail server refuses every third try', async () => {
    const walker = await makeWalker();
    let tries = 0;
    const sent: string[] = [];
    const mailer: typeof deps.mailer = {
      async send(mail, signal) {
        tries += 1;
        if (tries % 3 === 0) throw new Error('the mail server refuses this one');
        await deps.mailer.send(mail, signal);
        sent.push(`${mail.subject}: ${/walk (\w+) from/.exec(mail.text)?.[1]}`);
      },
    };
    await feed('walker-notices', createNotify({ db: own.db, mailer, publisher }));
    // One order at a time, because ten may be booked at once.
    const book = createWalk({ db: own.db, mailer, publisher });
    sources.push(await feeding('dog-walk', book, { url: vhost.url, vhost: vhost.name, batchSize: 1 }));
    const dogs = ['Ada', 'Bix', 'Cid', 'Dot', 'Eva', 'Fox'];
    // Less than an hour ahead: each reminder is due at once.
    for (const [n, dog] of dogs.entries()) await order(dog, (5 + n * 10) * minute);
    await expect.poll(() => sent.length, patience).toBe(dogs.length * 2);
    expect(sent).toEqual(dogs.flatMap((dog) => [`A dog to walk: ${dog}`, `Your walk begins soon: ${dog}`]));
    expect(await mailsTo(walker.email)).toHaveLength(dogs.length * 2);
  });

  it('walker-notices: a reminder waits at the broker until an hour before the walk', async () => {
    const walker = await makeWalker();
    await feed('dog-walk', createWalk({ db: own.db, mailer: deps.mailer, publisher }));
    await feed('walker-notices', createNotify({ db: own.db, mailer: deps.mailer, publisher }));
    const begun = Date.now();
    await order('Gus', 60 * minute + 4000);
    const subjects = async () => (await mailsTo(walker.email)).map(({ subject }) => subject);
    await expect.poll(subjects, patience).toEqual(['A dog to walk', 'Your walk begins soon']);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(4000);
  });

  it('walker-texts: the text messages of a walker with many walks keep no other walker waiting', async () => {
    const [busy, other] = [await makeWalker('+15550101'), await makeWalker('+15550102')];
    const sent: Text[] = [];
    const texts = { send: async (text: Text) => void sent.push(text) };
    const walks = await Promise.all(
      [busy, busy, busy, busy, other].map(async (walker, n) => {
        const starts_at = new Date(Date.now() + (n + 1) * 60 * minute);
        const id = randomUUID();
        const ends_at = new Date(starts_at.getTime() + 10 * minute);
        const row = { id, service: 'walk', user_id: 1, dog: `Dog ${n}`, starts_at, ends_at } as const;
        const values = { ...row, status: 'booked', walker_id: walker.id } as const;
        await own.db.insertInto('bookings').values(values).execute();
        return { walk_id: id, walker_id: walker.id, notice: 'booked' };
      }),
    );
    for (const body of walks) {
      const headers = { walker: String(body.walker_id) };
      await publisher.publish({ exchange: 'walks', routingKey: 'text', headers, body });
    }
    await feed('walker-texts', createText({ db: own.db, texts, publisher }));
    await expect.poll(() => sent.length, patience).toBe(5);
    const phones = sent.map(({ to }) => to);
    expect(phones.filter((phone) => phone === busy.phone)).toHaveLength(4);
    // Its turn came before the busy walker's limit was over for the last time.
    expect(phones.indexOf('+15550102')).toBeLessThan(4);
  });

  it('walkers: the topology of the version before is extended while its messages wait, and none is lost', async () => {
    const before = structuredClone(section) as { exchanges: object; queues: object };
    Reflect.deleteProperty(before.exchanges, 'walks');
    for (const queue of ['walker-notices', 'walker-texts']) Reflect.deleteProperty(before.queues, queue);
    const old = await openVhost(before);
    try {
      const body = {
        order_id: randomUUID(),
        user_id: 1,
        dog: 'Rex',
        at: '2030-05-01T09:00:00Z',
        minutes: 10,
      };
      const content = Buffer.from(JSON.stringify(body));
      for (let n = 0; n < 3; n += 1) old.channel.publish('chihuahua_scheduling', 'walk', content);
      await old.channel.waitForConfirms();
      await applyTopology(old.url, compileTopology(readSection(section)));
      expect(await old.count('dog-walk')).toBe(3);
      expect(await old.count('walker-notices')).toBe(0);
    } finally {
      await old.close();
    }
  });
});
