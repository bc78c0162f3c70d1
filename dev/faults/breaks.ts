import { connect } from 'amqplib';
import { type Kysely, sql } from 'kysely';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { RunOptions } from './run.ts';

/** A promise of ours that is broken on purpose. */
export interface Break {
  /** The counts that have to notice, all of them. */
  noticedBy: string[];
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

/** Makes the database acknowledge some new rows of a table without storing them. */
async function loseRows(db: Kysely<Database>, table: string, when: string): Promise<void> {
  await sql`create function lose() returns trigger language plpgsql as 'begin return null; end'`.execute(db);
  await sql`create trigger lose before insert on ${sql.id(table)} for each row
    when (${sql.raw(when)}) execute function lose()`.execute(db);
}

export const enough = { pictures: 60, alerts: 60, orders: 20, calls: 60 };

export const breaks: Readonly<Record<string, Break>> = {
  'early-ack': {
    noticedBy: ['pictures finished'],
    faults: ['process killed (SIGKILL)'],
    workers: 'early-ack',
  },
  'no-confirm': {
    noticedBy: ['alerts logged'],
    faults: ["broker's connections frozen"],
    publishers: 'no-confirm',
  },
  'unique-key': {
    noticedBy: ['points given'],
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
    noticedBy: ['uploads logged'],
    // The database acknowledges writes and stores nothing.
    async prepare(_parts, db) {
      await loseRows(db, 'upload_log', 'new.picture_id % 7 = 0');
    },
  },
  'mail-row': {
    noticedBy: ['mails doubled otherwise'],
    // Whether a mail was sent is forgotten at once.
    async prepare(_parts, db) {
      await sql`create function forget() returns trigger language plpgsql
        as 'begin
          if tg_table_name = ''mails'' then new.sent_at := null;
          else new.done_at := null; new.claimed_until := now(); end if;
          return new;
        end'`.execute(db);
      for (const table of ['mails', 'warren_leases']) {
        await sql`create trigger forget before update on ${sql.id(table)} for each row
          execute function forget()`.execute(db);
      }
    },
  },
  'no-mail': { noticedBy: ['friends mailed', 'walkers mailed'], workers: 'no-mail' },
  'no-team-mail': { noticedBy: ['teams mailed'], workers: 'no-team-mail' },
  'lost-count': {
    noticedBy: ['same alerts counted'],
    // Of the alerts that are the same none is counted but the first.
    async prepare(_parts, db) {
      await sql`create function miscount() returns trigger language plpgsql
        as 'begin new.more := old.more; return new; end'`.execute(db);
      await sql`create trigger miscount before update on alert_digests for each row
        when (new.more > old.more) execute function miscount()`.execute(db);
    },
  },
  'lost-order': {
    noticedBy: ['orders booked'],
    // The database acknowledges each booking of a wash and stores none.
    async prepare(_parts, db) {
      await loseRows(db, 'bookings', "new.service = 'wash'");
    },
  },
  'no-hook': {
    noticedBy: ['webhooks called', 'kept during a fault'],
    faults: ['a webhook that refuses one alert again and again'],
    times: 1,
    workers: 'no-hook',
  },
  // Only what goes through a Lambda API.
  'no-invoke': { noticedBy: ['uploads logged'], workers: 'no-invoke', load: { ...enough, pictures: 150 } },
  'forgotten-key': {
    noticedBy: ['pictures finished'],
    workers: 'forgotten-key',
    // One upload in twenty is repeated.
    load: { ...enough, pictures: 200 },
  },
  'wrong-reply': { noticedBy: ['calls'], workers: 'wrong-reply' },
  'no-reply': {
    noticedBy: ['calls once all was quiet', 'answers to calls with an effect'],
    workers: 'no-reply',
  },
  'flaky-reply': { noticedBy: ['all in calm'], workers: 'flaky-reply' },
  'run-twice': { noticedBy: ['runs of calls with an effect'], publishers: 'run-twice' },
  'double-letter': {
    noticedBy: ['dead letters'],
    workers: 'double-letter',
    // One alert in fifty makes no sense.
    load: { ...enough, alerts: 300 },
  },
  'mail-again': {
    noticedBy: ['mails doubled otherwise'],
    // The fault would excuse a mail whose row came late.
    faults: ['all connections cut'],
    workers: 'mail-again',
  },
  'stray-message': {
    noticedBy: ['dead letters'],
    async prepare({ direct }) {
      const publisher = new Publisher({ url: direct.AMQP_URL, name: 'faults: stray' });
      await publisher.publish({ exchange: '', routingKey: 'add-points', body: 'nobody sent this' });
      await publisher.close();
    },
  },
  'deaf-worker': { noticedBy: ['messages left'], workers: 'deaf' },
  hang: { noticedBy: ['processes ended in order'], workers: 'hang' },
  'kept-connections': {
    noticedBy: ['connections kept'],
    faults: ['all connections cut'],
    workers: 'kept-connections',
  },
  'left-connection': {
    noticedBy: ['connections left'],
    async prepare({ direct }) {
      const options = { clientProperties: { connection_name: 'nobody closes this' } };
      // The broker closes it in the end.
      (await connect(direct.AMQP_URL, options)).on('error', () => undefined);
    },
  },
  'no-load': {
    noticedBy: ['faults felt'],
    faults: ['everything slow (200 ms)'],
    // None to speak of.
    load: { pictures: 1, alerts: 1, orders: 0, calls: 1 },
    times: 6,
  },
};
