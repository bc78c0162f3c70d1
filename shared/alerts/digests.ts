/**
 * Alerts that are the same: the first is told at once, the others are counted, and told of in one summary an interval.
 * After an interval without any, the next is a first one again.
 */
import { randomUUID } from 'node:crypto';
import DataLoader from 'dataloader';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import { type Alert, hashOf, raisedAt } from './alert.ts';
import { keep } from './backlog.ts';

export interface Same {
  alert: Alert;
  dedupKey: string;
  /** Seconds between summaries, default 300. */
  summaryInterval?: number | undefined;
}

/** Most alerts that one statement counts. */
const mostAtOnce = 1000;

/**
 * Counts alerts that have a key to be the same by. Those of one batch go into one statement: a storm is
 * counted at the speed of batches.
 *
 * @returns counts one, once however often it is delivered; true for the first of its key, which is then in the backlog, safe
 *   there, and has to be drained.
 */
export function createCounter(db: Kysely<Database>): (same: Same) => Promise<boolean> {
  const loader = new DataLoader<Same, boolean>(
    async (batch) => {
      const opened = await count(db, batch);
      return batch.map(({ alert }) => opened.has(hashOf(alert)));
    },
    { cache: false, maxBatchSize: mostAtOnce },
  );
  return (same) => loader.load(same);
}

/** @returns the hashes of those that are the first of their key. */
async function count(db: Kysely<Database>, batch: readonly Same[]): Promise<Set<string>> {
  const now = new Date();
  const column = <T>(of: (same: Same) => T) => batch.map(of);
  const { rows } = await sql<{ hash: string }>`
    with given as (
      select * from unnest(
        ${column(({ alert }) => hashOf(alert))}::text[],
        ${column(({ alert }) => alert.queue)}::text[],
        ${column(({ dedupKey }) => dedupKey)}::text[],
        ${column(({ alert }) => raisedAt(alert, now).toISOString())}::timestamptz[],
        ${column(({ alert }) => JSON.stringify(alert))}::text[],
        ${column(({ summaryInterval = 300 }) => summaryInterval)}::integer[]
      ) with ordinality as given (hash, queue, dedup_key, raised_at, alert, summary_interval, number)
    ),
    -- In one order, here and below: two statements that meet must not wait for each other.
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
      -- Only a row that is new has no transaction that changed it.
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

/**
 * Puts a summary into the backlog for each digest whose interval is over, and ends those in which nothing came. One whose
 * queue is behind waits: a long absence makes one summary, not many.
 *
 * @returns the queues that have summaries to be drained now.
 */
export async function summarize(db: Kysely<Database>): Promise<string[]> {
  // As it was before: the summaries of a thousand digests are no reason for those of the next to wait.
  const { rows } = await sql<{ now: Date; behind: string[] }>`
    select now(), array(select distinct queue from alert_backlog) as behind`.execute(db);
  const [{ now, behind } = { now: new Date(), behind: [] }] = rows;
  const queues = new Set<string>();
  for (let due = mostAtOnce; due === mostAtOnce; ) {
    const some = await summarizeSome(db, now, behind);
    for (const queue of some.queues) queues.add(queue);
    due = some.due;
  }
  return [...queues];
}

/** @returns how many digests were due, at most `mostAtOnce`, and the queues that have summaries. */
async function summarizeSome(
  db: Kysely<Database>,
  now: Date,
  behind: readonly string[],
): Promise<{ due: number; queues: string[] }> {
  // Short, and nothing is sent meanwhile: the summary is in the backlog and its alerts counted off, or neither.
  return db.transaction().execute(async (transaction) => {
    const due = await transaction
      .selectFrom('alert_digests')
      .selectAll()
      .where('due_at', '<=', now)
      .where(sql<boolean>`queue <> all(${behind}::text[])`)
      .orderBy('due_at')
      .orderBy('queue')
      .orderBy('dedup_key')
      .limit(mostAtOnce)
      .forUpdate()
      .skipLocked()
      .execute();
    const [over, busy] = [due.filter(({ more }) => more === 0), due.filter(({ more }) => more > 0)];
    for (const { queue, dedup_key } of over) {
      await transaction
        .deleteFrom('alert_digests')
        .where('queue', '=', queue)
        .where('dedup_key', '=', dedup_key)
        .execute();
    }
    for (const { queue, dedup_key, summary_interval } of busy) {
      await transaction
        .updateTable('alert_digests')
        .set({ more: 0, first_at: null, last_at: null })
        .set({ due_at: sql<Date>`now() + ${summary_interval} * interval '1 second'` })
        .where('queue', '=', queue)
        .where('dedup_key', '=', dedup_key)
        .execute();
    }
    if (busy.length > 0) await keep(transaction, busy.map(summaryOf));
    return { due: due.length, queues: busy.map(({ queue }) => queue) };
  });
}

interface Digest {
  queue: string;
  dedup_key: string;
  more: number;
  first_at: Date | null;
  last_at: Date | null;
  last: unknown;
}

function summaryOf({ queue, dedup_key, more, first_at, last_at, last }: Digest): Alert {
  const id = randomUUID();
  const { body, routingKey } = last as Alert;
  const [firstAt, lastAt] = [first_at, last_at].map((at) => (at ?? new Date()).toISOString()) as [
    string,
    string,
  ];
  return {
    ...{ key: `alert:${queue}:summary:${id}`, messageId: `summary-${id}`, queue, body, routingKey },
    timestamp: lastAt,
    summary: { dedupKey: dedup_key, more, firstAt, lastAt },
  };
}

/** Forgets which alerts were counted, when no delivery of them is to be expected any more. */
export async function forgetCounted(db: Kysely<Database>): Promise<void> {
  await db.deleteFrom('alert_seen').where('seen_at', '<', sql<Date>`now() - interval '2 days'`).execute();
}
