import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { Count } from './compare.ts';
import { countEffects } from './count.ts';
import { countCalls } from './count-calls.ts';
import { countFelt, type Felt, feltBy } from './count-felt.ts';
import { countMails, watchMails } from './count-mails.ts';
import { planCourse, strikeAll } from './course.ts';
import { connections, countConnections, countLeftovers, waiting, waitingRows } from './leftovers.ts';
import { runLoad } from './load.ts';
import { type Parts, startParts } from './parts.ts';
import { makePhotos, type Photo } from './photos.ts';
import { type Call, createRequests } from './requests.ts';
import { chanceFrom } from './seed.ts';
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
  /** For how long nothing may become less until it is counted as it is, in seconds, default 180. */
  patience?: number;
  /** A module that the workers load first. */
  preload?: string;
  /** Done when the parts are up, before there is any load. */
  prepare?: (parts: Parts, db: Kysely<Database>) => Promise<void>;
}

export interface RunResult {
  felt: Felt[];
  /** Requests that had to be made again. */
  refusals: number;
  counts: Count[];
  /** How long it took until all was quiet after the last fault and request, in seconds. */
  quietAfter: number;
}

/** One run, from nothing to the count. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, say, away, nodes } = options;
  const parts = await startParts(nodes, say);
  const db = connectDatabase({ url: parts.direct.DATABASE_URL, name: 'faults: count' });
  try {
    await watchMails(db);
    await options.prepare?.(parts, db);
    say(`Starting ${options.workers} workers and a scheduler.`);
    const workers = await startWorkers(parts, options.workers, options.preload);
    try {
      const photos = await makePhotos();
      const requests = await createRequests(parts, photos[0] as Photo);
      const { accepted } = requests;
      try {
        const chance = chanceFrom(`faults ${seed}`);
        const legs = planCourse(chance, options);
        const seconds = legs.reduce((sum, leg) => sum + leg.seconds, 0);
        say(
          `Load: ${options.pictures} pictures, ${options.alerts} alerts, ${options.calls} calls in about ${seconds} s.`,
        );
        const loading = runLoad(requests, legs, photos, options);
        // The first failure is reported; the other promise is awaited below.
        loading.catch(() => undefined);
        const struck = await strikeAll({ parts, workers, chance, away, nodes }, legs, say);
        await loading;
        const quietAfter = await quiet(parts, db, options);
        const calls = accepted.calls.splice(0);
        for (let n = 0; n < 10; n += 1) await (n % 2 === 0 ? requests.ping(n) : requests.describe());
        const afterwards: Call[] = accepted.calls.splice(0);
        await requests.close();
        const running = await connections(parts, db);
        say('All is quiet. Stopping the workers, and counting.');
        const endings = await workers.stop();
        const felt = feltBy(struck, accepted);
        const counts = [
          ...(await countEffects(parts, db, accepted)),
          ...(await countMails({ mails: parts.mailbox.mails, db, away }, accepted, struck)),
          ...countCalls(calls, struck, afterwards),
          ...(await countLeftovers(parts, db, endings)),
          ...countConnections(
            { processes: workers.count, queues: parts.queues },
            running,
            await connections(parts, db),
          ),
          countFelt(felt, nodes),
        ];
        return { felt, refusals: accepted.refusals.length, counts, quietAfter };
      } finally {
        await requests.close();
      }
    } finally {
      await workers.stop();
    }
  } finally {
    await db.destroy();
    await parts.stop();
  }
}

/** Waits until nothing waits, twice in a row; as long as it gets less. */
async function quiet(
  parts: Parts,
  db: Kysely<Database>,
  { say, patience = 180 }: RunOptions,
): Promise<number> {
  const begun = Date.now();
  let least = { messages: Number.POSITIVE_INFINITY, at: begun };
  for (let quietTimes = 0; quietTimes < 2; ) {
    const counts = new Map([...(await waiting(parts)), ...(await waitingRows(db))]);
    const messages = [...counts.values()].reduce((sum, each) => sum + each, 0);
    quietTimes = messages === 0 ? quietTimes + 1 : 0;
    if (messages < least.messages) least = { messages, at: Date.now() };
    // A lease is 85 seconds; whatever is still there after twice as long, stays.
    if (messages > 0 && Date.now() - least.at > patience * 1000) break;
    if (messages > 0)
      say(`Waiting for quiet: ${messages} (${[...counts].map((each) => each.join(' ')).join(', ')})`);
    await pause(3000);
  }
  return Math.round((Date.now() - begun) / 1000);
}
