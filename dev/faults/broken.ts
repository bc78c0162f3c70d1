import { sql } from 'kysely';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { table } from '../../runtime/cli/table.ts';
import { projectFile } from '../stack/project.ts';
import { printRun } from './print.ts';
import { type RunOptions, run } from './run.ts';

/** A promise of ours that is broken on purpose. */
interface Break {
  /** The count that has to notice. */
  noticedBy: string;
  /** The faults that reveal it; none if it shows without a fault. */
  faults?: string[];
  /** A module that breaks it, in the workers or in the process that publishes. */
  workers?: string;
  publishers?: string;
  prepare?: RunOptions['prepare'];
  /** Default a load that is enough to notice. */
  load?: Pick<RunOptions, 'pictures' | 'alerts' | 'orders' | 'calls'>;
  /** How often each of the faults strikes, default 3. */
  times?: number;
}

const enough = { pictures: 60, alerts: 60, orders: 20, calls: 60 };

export const breaks: Readonly<Record<string, Break>> = {
  'early-ack': {
    noticedBy: 'pictures finished',
    faults: ['process killed (SIGKILL)'],
    workers: 'early-ack',
  },
  'no-confirm': {
    noticedBy: 'alerts logged',
    faults: ["broker's connections frozen"],
    publishers: 'no-confirm',
  },
  'unique-key': {
    noticedBy: 'points given',
    workers: 'unique-key',
    async prepare(_parts, db) {
      const { rows } = await sql<{ name: string }>`select conname as name from pg_constraint
        where conrelid = 'points_entries'::regclass and contype = 'u'`.execute(db);
      for (const { name } of rows) {
        await sql`alter table points_entries drop constraint ${sql.id(name)}`.execute(db);
      }
    },
  },
  'lost-row': {
    noticedBy: 'uploads logged',
    // The database acknowledges writes and stores nothing.
    async prepare(_parts, db) {
      await sql`create function lose() returns trigger language plpgsql as 'begin return null; end'`.execute(
        db,
      );
      await sql`create trigger lose before insert on upload_log for each row
        when (new.picture_id % 7 = 0) execute function lose()`.execute(db);
    },
  },
  'mail-row': {
    noticedBy: 'mails doubled otherwise',
    // Whether a mail was sent is forgotten at once.
    async prepare(_parts, db) {
      await sql`create function forget() returns trigger language plpgsql
        as 'begin new.sent_at := null; new.claimed_until := now(); return new; end'`.execute(db);
      await sql`create trigger forget before update on mails for each row execute function forget()`.execute(
        db,
      );
    },
  },
  'no-mail': { noticedBy: 'friends mailed', workers: 'no-mail' },
  'no-team-mail': { noticedBy: 'teams mailed', workers: 'no-team-mail' },
  'lost-count': {
    noticedBy: 'same alerts counted',
    // Of the alerts that are the same none is counted but the first.
    async prepare(_parts, db) {
      await sql`create function miscount() returns trigger language plpgsql
        as 'begin new.more := old.more; return new; end'`.execute(db);
      await sql`create trigger miscount before update on alert_digests for each row
        when (new.more > old.more) execute function miscount()`.execute(db);
    },
  },
  'wrong-reply': { noticedBy: 'calls', workers: 'wrong-reply' },
  'no-reply': { noticedBy: 'calls once all was quiet', workers: 'no-reply' },
  'flaky-reply': { noticedBy: 'all in calm', workers: 'flaky-reply' },
  'run-twice': { noticedBy: 'runs of calls with an effect', publishers: 'run-twice' },
  'double-letter': {
    noticedBy: 'dead letters',
    workers: 'double-letter',
    // One alert in fifty makes no sense.
    load: { ...enough, alerts: 300 },
  },
  'mail-again': {
    noticedBy: 'mails doubled otherwise',
    // The fault would excuse a mail whose row came late.
    faults: ['all connections cut'],
    workers: 'mail-again',
  },
  'stray-message': {
    noticedBy: 'dead letters',
    async prepare({ direct }) {
      const publisher = new Publisher({ url: direct.AMQP_URL, name: 'faults: stray' });
      await publisher.publish({ exchange: '', routingKey: 'add-points', body: 'nobody sent this' });
      await publisher.close();
    },
  },
  'deaf-worker': { noticedBy: 'messages left', workers: 'deaf' },
  hang: { noticedBy: 'processes ended in order', workers: 'hang' },
  'kept-connections': {
    noticedBy: 'connections kept',
    faults: ['all connections cut'],
    workers: 'kept-connections',
  },
  'no-load': {
    noticedBy: 'faults felt',
    faults: ['everything slow (200 ms)'],
    // None to speak of.
    load: { pictures: 1, alerts: 1, orders: 0, calls: 1 },
    times: 6,
  },
};

/**
 * Runs in each of which one promise is broken.
 *
 * @param name names of `breaks`, separated by commas, or `all`.
 * @returns the exit code: 0 if the expected count noticed each defect, otherwise 1.
 */
export async function runBroken(name: string, options: RunOptions): Promise<number> {
  const names = name === 'all' ? Object.keys(breaks) : name.split(',');
  const results: { name: string; noticedBy: string; noticed: boolean }[] = [];
  for (const each of names) {
    const broken = Object.hasOwn(breaks, each) ? breaks[each] : undefined;
    if (!broken) {
      console.error(`--break: expected all or one of ${Object.keys(breaks).join(', ')}, got "${each}"`);
      return 1;
    }
    results.push({ name: each, noticedBy: broken.noticedBy, noticed: await runOne(each, broken, options) });
  }
  const rows = results.map((each) => [each.name, each.noticedBy, each.noticed ? 'noticed' : 'NOT NOTICED']);
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
  return results.every(({ noticed }) => noticed) ? 0 : 1;
}

async function runOne(name: string, broken: Break, options: RunOptions): Promise<boolean> {
  const { noticedBy, faults = [], workers, publishers, prepare, load = enough, times = 3 } = broken;
  options.say(`Broken on purpose: ${name}`);
  const mend = publishers && (await import(breaker(publishers)));
  const settings = {
    ...options,
    ...load,
    only: faults,
    faults: faults.length * times,
    calm: 5,
    patience: 150,
    ...(workers && { preload: breaker(workers) }),
    ...(prepare && { prepare }),
  };
  const result = await run(settings);
  (mend as { mend(): void } | undefined)?.mend();
  printRun(settings, result);
  return result.counts.some(({ what, problems }) => what === noticedBy && problems.length > 0);
}

const breaker = (name: string) => projectFile(`dev/faults/break/${name}.mjs`);
