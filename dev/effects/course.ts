import { type Channel, connect } from 'amqplib';
import pg from 'pg';
import { Publisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { pgDatabase } from '../../runtime/effects/database.ts';
import { createEffectsTables } from '../../runtime/effects/tables.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import type { Count } from '../faults/compare.ts';
import { type Hook, startHook } from '../faults/hook.ts';
import { type Chance, chanceFrom } from '../faults/seed.ts';
import type { Break } from './breaks.ts';
import { count } from './count.ts';
import { inTime } from './in-time.ts';
import { moments } from './moments.ts';
import { makeProject, type Project } from './project.ts';
import { startRelay } from './relay.ts';
import { Workers } from './workers.ts';

export interface CourseOptions {
  AMQP_URL: string;
  /** A database without tables of this course. */
  DATABASE_URL: string;
  /** What order and moments follow from. */
  seed: string;
  /** Orders; reminders are a tenth of them. */
  messages: number;
  kills: number;
  broken?: Break | undefined;
  say: (text: string) => void;
}

interface Scene extends CourseOptions {
  chance: Chance;
  pool: pg.Pool;
  publisher: PublisherLike;
  channel: Channel;
  hook: Hook;
}

const workerCount = 2;

/**
 * Runs the function of docs/effects.md on workers that are killed, and counts the effects.
 *
 * @returns the counts; those with problems are broken promises.
 */
export async function runCourse(options: CourseOptions): Promise<Count[]> {
  const { AMQP_URL, DATABASE_URL, seed, broken } = options;
  const pool = new pg.Pool({ connectionString: DATABASE_URL });
  const publisher = new Publisher({ url: AMQP_URL, name: 'effects course' });
  const [model, hook] = await Promise.all([connect(AMQP_URL), startHook()]);
  try {
    await createEffectsTables(pgDatabase(pool));
    await pool.query(`create table parcels (city text not null);
      create table receipts (city text not null);
      create table deliveries (city text not null, message_id text)`);
    await broken?.prepare?.(pool);
    const project = await makeProject(AMQP_URL, hook.url, broken?.source);
    const chance = chanceFrom(`effects ${seed}`);
    try {
      const channel = await model.createChannel();
      return await runIn(project, { ...options, pool, publisher, hook, chance, channel });
    } finally {
      await project.remove();
    }
  } finally {
    await Promise.all([model.close(), publisher.close(), hook.stop(), pool.end()]);
  }
}

async function runIn(project: Project, scene: Scene): Promise<Count[]> {
  const { pool, say, publisher, broken, channel, hook, messages } = scene;
  const workers = new Workers(project, scene, broken?.preload);
  const relay = startRelay(pool, broken?.relay?.(publisher) ?? publisher);
  try {
    const orders = await send('orders', messages, scene);
    const reminders = await send('reminders', Math.ceil(messages / 10), scene);
    await workers.start(workerCount);
    await killAll(workers, scene);
    say('Waiting until all queues are empty.');
    const waiting = () => countWaiting(project, scene);
    // A worker that ends returns messages that it has not begun.
    for (let rounds = 1; rounds <= 5; rounds += 1) {
      await workers.start(workerCount);
      await inTime(async () => {
        await relay.hurry();
        return (await waiting()) === 0;
      });
      await workers.stop();
      if ((await waiting()) === 0) break;
    }
    const { messageCount } = await channel.checkQueue(deadLetters);
    const { killed, endings } = workers;
    const left = { deadLetters: messageCount, relayed: relay.sent(), calls: hook.accepted };
    return await count({ pool, orders, reminders, killed, endings, ...left });
  } finally {
    await Promise.all([workers.stop(), relay.stop()]);
  }
}

/** Sends messages in the order of the seed, one in four twice. @returns their cities. */
async function send(queue: string, number: number, { publisher, chance }: Scene): Promise<string[]> {
  const cities = Array.from({ length: number }, (_, n) => `${queue} ${n}`);
  const sent = chance.shuffled([...cities, ...cities.filter((_, n) => n % 4 === 0)]);
  await Promise.all(
    sent.map((city) =>
      publisher.publish({ exchange: '', routingKey: queue, messageId: city, body: { city } }),
    ),
  );
  return cities;
}

/** Kills a worker again and again while the orders become fewer, at each kind of moment first once. */
async function killAll(workers: Workers, { chance, kills, messages, pool, say }: Scene): Promise<void> {
  const names = Object.keys(moments);
  const chosen = Array.from({ length: Math.ceil(kills / names.length) }, () => chance.shuffled(names)).flat();
  for (const [n, moment] of chosen.slice(0, kills).entries()) {
    const shipped = Math.floor(((n + chance.next()) * messages) / (kills + 1));
    await inTime(async () => {
      const { rows } = await pool.query<{ parcels: number }>('select count(*)::int as parcels from parcels');
      return (rows[0]?.parcels ?? 0) >= shipped;
    });
    // In turns, because a worker that has just started has no messages in flight.
    const which = n % workerCount;
    say(`Kill ${n + 1} of ${kills}: worker ${which + 1}, ${moment}.`);
    await workers.kill(which, moments[moment] ?? (() => undefined));
  }
}

/** Messages in the queues and in the outbox. */
async function countWaiting({ queues }: Project, { channel, pool }: Scene): Promise<number> {
  const { rows } = await pool.query('select id from warren_outbox');
  let waiting = rows.length;
  for (const queue of queues) waiting += (await channel.checkQueue(queue)).messageCount;
  return waiting;
}
