import type { Kysely } from 'kysely';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { Call } from './accepted.ts';
import { type Calm, countCalm, stayCalm } from './calm.ts';
import type { Count } from './compare.ts';
import { countEffects } from './count.ts';
import { countCalls } from './count-calls.ts';
import { countDeadLetters } from './count-dead-letters.ts';
import { calmEffects, countEffectsOfCalls, type EffectsOfCalls } from './count-effect.ts';
import { countFelt, countPromises, type Felt, feltBy } from './count-felt.ts';
import { countMails } from './count-mails.ts';
import { type Leg, legsOf, planCourse, strikeAll } from './course.ts';
import type { Fault } from './fault.ts';
import { connections, countConnections, countLeftovers, countReminders, summaries } from './leftovers.ts';
import { callOf, runLoad } from './load.ts';
import { type Parts, startParts } from './parts.ts';
import { makePhotos, type Photo } from './photos.ts';
import { quiet } from './quiet.ts';
import { takeReplies } from './replies.ts';
import { createRequests } from './requests.ts';
import { readRuns } from './runs.ts';
import { chanceFrom } from './seed.ts';
import { watchSendings } from './sendings.ts';
import { faultsFor } from './strikes.ts';
import { startWorkers } from './workers.ts';

export interface RunOptions {
  seed: string;
  pictures: number;
  alerts: number;
  orders: number;
  calls: number;
  /** How many strike, default each that may strike once. */
  faults?: number;
  /** Names of the faults that may, default all. */
  only?: readonly string[];
  /** Duration of each calm leg in seconds. */
  calm: number;
  workers: number;
  /** Whether `serverless offline` feeds functions too, and is the Lambda API. */
  offline: boolean;
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
    await watchSendings(db);
    await options.prepare?.(parts, db);
    say(`Starting ${options.workers} workers, and the other hosts.`);
    const workers = await startWorkers(parts, options);
    try {
      const photos = await makePhotos();
      const requests = await createRequests(parts, photos[0] as Photo);
      const { accepted } = requests;
      try {
        const chance = chanceFrom(`faults ${seed}`);
        const from = chooseFaults(options);
        const { faults = from.length, calm: calmSeconds } = options;
        const course = planCourse(chance, { faults, from, away, calm: calmSeconds });
        const legs = legsOf(course);
        const seconds = legs.reduce((sum, leg) => sum + leg.seconds, 0);
        say(
          `Load: ${options.pictures} pictures, ${options.alerts} alerts, ${options.orders} orders, ${options.calls} calls in about ${seconds} s.`,
        );
        const load = runLoad(requests, legs, photos, options);
        // The first failure is reported; each promise is also awaited below.
        for (const each of load.values()) each.catch(() => undefined);
        const scene = { parts, workers, requests, chance, db, away, nodes };
        const calm = (leg: Leg) => {
          say('Calm: load without a fault.');
          return stayCalm(leg, load.get(leg), scene);
        };
        const calms: Calm[] = [await calm(course.before)];
        const struck = await strikeAll(scene, course.faults, say);
        await Promise.all(course.faults.map((leg) => load.get(leg)));
        const quietAfter = await quiet(parts, db, options, [summaries]);
        if (course.after) calms.push(await calm(course.after));
        await quiet(parts, db, options);
        const calls = [...accepted.calls];
        for (let n = 0; n < 10; n += 1) await callOf(requests, n)();
        const afterwards: Call[] = accepted.calls.slice(calls.length);
        await requests.close();
        const running = await connections(parts, db);
        say('All is quiet. Stopping the workers, and counting.');
        const endings = await workers.stop();
        const felt = feltBy(struck, accepted);
        const effects: EffectsOfCalls = {
          calls: accepted.recorded,
          runs: await readRuns(parts.folder),
          replies: await takeReplies(parts.direct.AMQP_URL),
        };
        const calmly = countCalm(calms, { ...accepted, calls }, parts.mailbox.mails);
        calmly.problems.push(...calmEffects(effects, calms));
        const counts = [
          ...(await countEffects(parts, db, accepted)),
          await countDeadLetters(parts.direct.AMQP_URL, { accepted, runs: effects.runs }, struck),
          ...(await countMails({ mails: parts.mailbox.mails, db, away }, accepted, struck)),
          ...countCalls(calls, struck, afterwards),
          ...countEffectsOfCalls(effects, struck),
          // A wash brings a walk.
          await countReminders(parts, accepted.orders.length),
          ...(await countLeftovers(parts, db, endings)),
          ...countConnections(
            { workers: options.workers, queues: parts.queues },
            running,
            await connections(parts, db),
          ),
          countFelt(felt, nodes),
          countPromises(struck),
          calmly,
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

function chooseFaults({ nodes, only }: RunOptions): Fault[] {
  const possible = faultsFor(nodes);
  const unknown = (only ?? []).filter((name) => !possible.some((fault) => fault.name === name));
  if (unknown.length > 0) throw new TypeError(`expected names of faults, got "${unknown.join('", "')}"`);
  return only ? possible.filter(({ name }) => only.includes(name)) : possible;
}
