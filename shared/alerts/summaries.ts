/** Summaries of the alerts that digests have counted. */

import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { Alert } from './alert.ts';
import { addToBacklog } from './backlog.ts';

/** Maximum number of digests that one transaction summarizes. */
const maxDigests = 1000;

/**
 * Adds a summary to the backlog for each digest whose interval is over, and ends the digests without new alerts. A digest
 * whose queue has a backlog waits, so that a long outage results in one summary instead of many.
 *
 * @returns the queues whose backlogs contain new summaries.
 */
export async function summarize(db: Kysely<Database>): Promise<string[]> {
  // Read once, before the first round: the summaries of one round must not make the digests of the next one wait.
  const { rows } = await sql<{ now: Date; backlogs: string[] }>`
    select now(), array(select distinct queue from alert_backlog where retry_at is null) as backlogs`.execute(
    db,
  );
  const [{ now, backlogs } = { now: new Date(), backlogs: [] }] = rows;
  const queues = new Set<string>();
  for (let due = maxDigests; due === maxDigests; ) {
    const round = await summarizeRound(db, now, backlogs);
    for (const queue of round.queues) queues.add(queue);
    due = round.due;
  }
  return [...queues];
}

/** @returns the number of due digests, at most `maxDigests`, and the queues with new summaries. */
async function summarizeRound(
  db: Kysely<Database>,
  now: Date,
  backlogs: readonly string[],
): Promise<{ due: number; queues: string[] }> {
  // The transaction is short and sends nothing. It adds the summary and resets the count, or does neither.
  return db.transaction().execute(async (transaction) => {
    const due = await transaction
      .selectFrom('alert_digests')
      .selectAll()
      .where('due_at', '<=', now)
      .where(sql<boolean>`queue <> all(${backlogs}::text[])`)
      .orderBy('due_at')
      .orderBy('queue')
      .orderBy('dedup_key')
      .limit(maxDigests)
      .forUpdate()
      .skipLocked()
      .execute();
    const ended = due.filter(({ more }) => more === 0);
    const active = due.filter(({ more }) => more > 0);
    for (const { queue, dedup_key } of ended) {
      await transaction
        .deleteFrom('alert_digests')
        .where('queue', '=', queue)
        .where('dedup_key', '=', dedup_key)
        .execute();
    }
    for (const { queue, dedup_key, summary_interval } of active) {
      await transaction
        .updateTable('alert_digests')
        .set({ more: 0, first_at: null, last_at: null })
        .set({ due_at: sql<Date>`now() + ${summary_interval} * interval '1 second'` })
        .where('queue', '=', queue)
        .where('dedup_key', '=', dedup_key)
        .execute();
    }
    if (active.length > 0) await addToBacklog(transaction, active.map(summaryOf));
    return { due: due.length, queues: active.map(({ queue }) => queue) };
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
  const { body, routingKey, vhost = '/' } = last as Alert;
  const [firstAt, lastAt] = [first_at, last_at].map((at) => (at ?? new Date()).toISOString()) as [
    string,
    string,
  ];
  return {
    key: `alert:${queue}:summary:${id}`,
    messageId: `summary-${id}`,
    queue,
    vhost,
    body,
    routingKey,
    timestamp: lastAt,
    summary: { dedupKey: dedup_key, more, firstAt, lastAt },
  };
}
