import { sql } from 'kysely';
import { projectFile } from '../cli/stack/project.ts';
import { createPublisher } from '../shared/rabbitmq/publisher.ts';
import { printRun } from './print.ts';
import { type RunOptions, run } from './run.ts';

/** A promise of ours that is broken on purpose. */
interface Break {
  /** The count that has to notice. */
  noticedBy: string;
  /** The faults that bring it to light; none where it shows by itself. */
  faults?: string[];
  /** A module that breaks it, in the workers or in the process that publishes. */
  workers?: string;
  publishers?: string;
  prepare?: RunOptions['prepare'];
}

export const breaks: Readonly<Record<string, Break>> = {
  'early-ack': {
    noticedBy: 'pictures finished',
    faults: ['worker killed (SIGKILL)'],
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
  'wrong-reply': { noticedBy: 'calls', workers: 'wrong-reply' },
  'stray-message': {
    noticedBy: 'dead letters',
    async prepare({ direct }) {
      const publisher = createPublisher({ url: direct.AMQP_URL, name: 'faults: stray' });
      await publisher.publish({ exchange: '', routingKey: 'add-points', body: 'nobody sent this' });
      await publisher.close();
    },
  },
  hang: { noticedBy: 'workers ended in order', workers: 'hang' },
};

/**
 * A run in which one promise is broken.
 *
 * @returns the exit code: 0 where the count noticed, 1 where it did not.
 */
export async function runBroken(name: string, options: RunOptions): Promise<number> {
  const broken = breaks[name];
  if (!broken) {
    console.error(`--break: expected one of ${Object.keys(breaks).join(', ')}, got "${name}"`);
    return 1;
  }
  const { noticedBy, faults = [], workers, publishers, prepare } = broken;
  if (publishers) await import(breaker(publishers));
  const result = await run({
    ...{ ...options, only: faults, faults: faults.length * 3 },
    ...(workers && { preload: breaker(workers) }),
    ...(prepare && { prepare }),
  });
  printRun(options, result);
  const noticed = result.counts.some(({ what, problems }) => what === noticedBy && problems.length > 0);
  console.log(`\n${name} was broken on purpose: ${noticed ? 'noticed' : 'NOT NOTICED'} by "${noticedBy}".`);
  return noticed ? 0 : 1;
}

const breaker = (name: string) => projectFile(`faults/break/${name}.mjs`);
