import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { PublisherLike } from '../../runtime/amqp/publisher.ts';
import { projectFile } from '../stack/project.ts';

/** A promise of `warren/effects` that is broken on purpose. */
export interface Break {
  /** The counts that have to notice, all of them. */
  noticedBy: readonly string[];
  /** Changes the source of the tutorial's function. */
  source?: (source: string) => string;
  /** Changes the database. */
  prepare?: (pool: pg.Pool) => Promise<unknown>;
  /** The relay's publisher in place of the right one. */
  relay?: (publisher: PublisherLike) => PublisherLike;
  /** A module that workers load first. */
  preload?: string;
}

/** Has the database do something else with the rows of a table. */
const trigger = (when: string, body: string) => (pool: pg.Pool) =>
  pool.query(`create function broken() returns trigger language plpgsql as $$ begin ${body} end $$;
    create trigger broken ${when} for each row execute function broken()`);

/** Replaces texts that the source has. */
const replaced =
  (...pairs: readonly [string, string][]) =>
  (source: string) =>
    pairs.reduce((text, [before, after]) => {
      if (!text.includes(before)) throw new Error(`docs/effects.md: expected "${before}" in the function`);
      return text.replace(before, after);
    }, source);

const [parcels, receipts, ids, reminders] = [
  'parcels shipped',
  'effects of the messages',
  'ids of the messages',
  'reminders sent',
];

export const breaks: Readonly<Record<string, Break>> = {
  // A message is acknowledged before its effect.
  'early-ack': { noticedBy: [parcels], preload: projectFile('dev/faults/break/early-ack.mjs') },
  'dropped-note': {
    noticedBy: [parcels, receipts],
    prepare: trigger(
      'after insert on warren_inbox',
      'delete from warren_inbox where consumer = new.consumer and message = new.message; return null;',
    ),
  },
  'outside-the-transaction': {
    noticedBy: [parcels],
    source: replaced(['max: 1', 'max: 40'], ['await db.query', 'await pool.query']),
  },
  'dropped-message': {
    noticedBy: [receipts],
    prepare: trigger('before insert on warren_outbox', 'return null;'),
  },
  'forgetful-relay': {
    noticedBy: [receipts],
    relay: () => ({ publish: async () => ({ messageId: 'never sent' }) }),
  },
  'doubling-relay': {
    noticedBy: [receipts, ids],
    relay: (publisher) => ({
      async publish(message) {
        await publisher.publish({ ...message, messageId: randomUUID() });
        return publisher.publish(message);
      },
    }),
  },
  'ignored-lease': {
    noticedBy: [reminders],
    prepare: trigger(
      'before insert or update on warren_leases',
      'new.done_at := null; new.claimed_until := now(); return new;',
    ),
  },
};
