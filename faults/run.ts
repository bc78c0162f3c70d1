import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { createHandler as createFlush } from '../functions/alerts/flush.ts';
import { createHandler as createAnnounce } from '../functions/pictures/announce.ts';
import { readConfig } from '../shared/config.ts';
import { connectDatabase } from '../shared/database/database.ts';
import type { Database } from '../shared/database/schema.ts';
import { createMailer } from '../shared/mail.ts';
import { createPublisher } from '../shared/rabbitmq/publisher.ts';
import type { Count } from './compare.ts';
import { countEffects } from './count.ts';
import { countLeftovers, waiting, waitingRows } from './leftovers.ts';
import { type Accepted, runLoad } from './load.ts';
import { type Parts, startParts } from './parts.ts';
import { chanceFrom } from './seed.ts';
import { type Struck, strikeAll } from './strikes.ts';
import { startWorkers } from './workers.ts';

export interface RunOptions {
  seed: string;
  pictures: number;
  alerts: number;
  calls: number;
  /** How many strike. */
  faults: number;
  /** Names of the faults that may, default all. */
  only?: readonly string[];
  workers: number;
  /** Of the broker. */
  nodes: number;
  /** Seconds. */
  away: number;
  say: (text: string) => void;
  /** A module that the workers load first. */
  preload?: string;
  /** Done when the parts are up, before there is any load. */
  prepare?: (parts: Parts, db: Kysely<Database>) => Promise<void>;
}

export interface RunResult {
  struck: Struck[];
  accepted: Accepted;
  counts: Count[];
  /** How long it took until all was quiet after the last fault and request, in seconds. */
  quietAfter: number;
}

/** One run, from nothing to the count. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, say, away } = options;
  const parts = await startParts(options.nodes, say);
  const db = connectDatabase({ url: parts.direct.DATABASE_URL, name: 'faults: count' });
  try {
    await options.prepare?.(parts, db);
    say(`Starting ${options.workers} workers.`);
    const workers = await startWorkers(parts, options.workers, options.preload);
    const schedule = startSchedule(parts);
    try {
      // A fault takes twelve seconds on average, beside those that take as long as asked for.
      const seconds = Math.max(10, options.faults * 10 + (options.faults > 6 ? 3 * away : 0));
      say(
        `Load: ${options.pictures} pictures, ${options.alerts} alerts, ${options.calls} calls in ${seconds} s.`,
      );
      const loading = runLoad(parts, { ...options, seconds });
      // Whoever fails first is heard; the other one is waited for below.
      loading.catch(() => undefined);
      const chance = chanceFrom(`faults ${seed}`);
      const struck = await strikeAll({ parts, workers, chance, away }, options);
      const accepted = await loading;
      const quietAfter = await quiet(parts, db, say);
      await schedule.stop();
      say('All is quiet. Stopping the workers, and counting.');
      const endings = await workers.stop();
      const leftovers = await countLeftovers(parts, db, endings);
      const counts = [...(await countEffects({ parts, db }, accepted, struck)), ...leftovers];
      return { struck, accepted, counts, quietAfter };
    } finally {
      await schedule.stop();
      await workers.stop();
    }
  } finally {
    await db.destroy();
    await parts.stop();
  }
}

/** What a schedule does in production, more often: announces and tells what could not be announced or told at its time. */
function startSchedule({ env, routes }: Parts): { stop(): Promise<void> } {
  const db = connectDatabase({ url: env.DATABASE_URL, name: 'faults: schedule' });
  const publisher = createPublisher({ url: env.AMQP_URL, name: 'faults: schedule' });
  const { mail } = readConfig(['mail'], env);
  const announce = createAnnounce({ db, publisher });
  const flush = createFlush({ db, publisher, mailer: createMailer(mail), routes });
  const ended = new AbortController();
  const running = (async () => {
    while (!ended.signal.aborted) {
      // What fails now is done by the next run, as in production.
      await Promise.allSettled([announce(), flush()]);
      await pause(5000, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    await Promise.all([publisher.close(), db.destroy()]);
  })();
  return {
    stop() {
      ended.abort();
      return running;
    },
  };
}

/** Waits until nothing waits, twice in a row; as long as it gets less. */
async function quiet(parts: Parts, db: Kysely<Database>, say: RunOptions['say']): Promise<number> {
  const begun = Date.now();
  let least = { messages: Number.POSITIVE_INFINITY, at: begun };
  for (let quietTimes = 0; quietTimes < 2; ) {
    const counts = new Map([...(await waiting(parts)), ...(await waitingRows(db))]);
    const messages = [...counts.values()].reduce((sum, each) => sum + each, 0);
    quietTimes = messages === 0 ? quietTimes + 1 : 0;
    if (messages < least.messages) least = { messages, at: Date.now() };
    // A lease is a minute; whatever is still there after two, stays.
    if (messages > 0 && Date.now() - least.at > 180_000) break;
    if (messages > 0)
      say(`Waiting for quiet: ${messages} (${[...counts].map((each) => each.join(' ')).join(', ')})`);
    await pause(3000);
  }
  return Math.round((Date.now() - begun) / 1000);
}
