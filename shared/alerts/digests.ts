/**
 * A digest counts the alerts with one dedup key. The audience is notified of the first alert immediately, and of the others
 * in one summary per interval. After an interval without alerts the digest ends, and the next alert is a first one again.
 */
import DataLoader from 'dataloader';
import { type Kysely, sql } from 'kysely';
import { stringifyJson } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { type Alert, hashOf, raisedAt } from './alert.ts';

export interface GroupedAlert {
  alert: Alert;
  dedupKey: string;
  /** Seconds between summaries, default 300. */
  summaryInterval?: number | undefined;
}

/** Maximum number of alerts that one statement counts. */
const maxAlerts = 1000;

/**
 * Creates a counter for alerts with a dedup key. One statement counts all alerts of a batch, so that a storm is counted at
 * the speed of batches.
 *
 * @returns a function that counts an alert once, regardless of how often it is delivered. It returns true for the first
 *   alert of its key: that alert is then in the backlog, and the caller has to deliver the backlog.
 */
export function createCounter(db: Kysely<Database>): (grouped: GroupedAlert) => Promise<boolean> {
  const loader = new DataLoader<GroupedAlert, boolean>(
    async (batch) => {
      const opened = await count(db, batch);
      return batch.map(({ alert }) => opened.has(hashOf(alert)));
    },
    { cache: false, maxBatchSize: maxAlerts },
  );
  return (grouped) => loader.load(grouped);
}

/** @returns the hashes of the alerts that are the first of their key. */
async function count(db: Kysely<Database>, batch: readonly GroupedAlert[]): Promise<Set<string>> {
  const now = new Date();
  const column = <T>(of: (grouped: GroupedAlert) => T) => batch.map(of);
  const { rows } = await sql<{ hash: string }>`
    with given as (
      select * from unnest(
        ${column(({ alert }) => hashOf(alert))}::text[],
        ${column(({ alert }) => alert.queue)}::text[],
        ${column(({ dedupKey }) => dedupKey)}::text[],
        ${column(({ alert }) => raisedAt(alert, now).toISOString())}::timestamptz[],
        ${column(({ alert }) => stringifyJson(alert))}::text[],
        ${column(({ summaryInterval = 300 }) => summaryInterval)}::integer[]
      ) with ordinality as given (hash, queue, dedup_key, raised_at, alert, summary_interval, number)
    ),
    -- Rows are sorted, here and below, so that two concurrent statements do not deadlock.
    fresh as (
      insert into alert_seen (hash) select distinct hash from given order by hash
      on conflict do nothing returning hash
    ),
    counted as (
      select *, row_number() over (partition by queue, dedup_key order by number) as place
      from (select distinct on (hash) given.* from given join fresh using (hash) order by hash, number) as once
    ),
    digests as (
      insert into alert_digests as digest
        (queue, dedup_key, opened_at, more, first_at, last_at, last, summary_interval, due_at)
      select queue, dedup_key, min(raised_at), count(*) - 1, min(raised_at) filter (where place > 1),
        max(raised_at) filter (where place > 1), (array_agg(alert order by number desc))[1]::json,
        max(summary_interval), now() + max(summary_interval) * interval '1 second'
      from counted group by queue, dedup_key order by queue, dedup_key
      on conflict (queue, dedup_key) do update set
        more = digest.more + excluded.more + 1,
        first_at = least(digest.first_at, excluded.opened_at),
        last_at = greatest(digest.last_at, excluded.opened_at, excluded.last_at),
        last = excluded.last
      -- xmax is 0 only for a row that was inserted, not updated.
      returning queue, dedup_key, xmax = 0 as opened
    )
    insert into alert_backlog (hash, queue, alert, raised_at)
    select hash, queue, alert::json, raised_at
    from counted join digests using (queue, dedup_key) where opened and place = 1
    order by number
    on conflict (hash) do nothing
    returning hash`.execute(db);
  return new Set(rows.map(({ hash }) => hash));
}

/** Deletes the records of counted alerts after two days, when they are no longer delivered again. */
export async function forgetCounted(db: Kysely<Database>): Promise<void> {
  await db.deleteFrom('alert_seen').where('seen_at', '<', sql<Date>`now() - interval '2 days'`).execute();
}
