import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerConnection } from '../amqp/connection.ts';
import { WarrenError } from '../base/errors.ts';
import { deadLetters } from '../topology/names.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { DeadLetterFilter } from './filter.ts';
import { type Progress, type Taking, takeEach } from './take.ts';
import { readEach } from './visit.ts';

/** Dead letters of one queue with the same reason. */
export interface DeadLetterGroup {
  queue: string;
  reason: string;
  count: number;
  /** When the first of them failed, in ISO 8601. */
  oldest?: string | undefined;
  /** When the last of them failed, in ISO 8601. */
  newest?: string | undefined;
}

export interface DeadLetterOverview {
  total: number;
  groups: DeadLetterGroup[];
  /** The oldest dead letters, up to the limit. */
  letters: DeadLetter[];
}

/** Identifies a dead letter. Thousands of complete ones may need too much memory. */
export type DeadLetterKey = Pick<DeadLetter, 'id' | 'queue' | 'reason'>;

/**
 * Lists dead letters from their queue, oldest first. They stay there, but RabbitMQ counts a delivery of each; `deadLetterEntries`
 * does not touch the queue.
 *
 * @param limit maximum number, default 1000.
 */
export async function listDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = 1000,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await readEach(url, filter, (letter) => letters.push(letter) < limit);
  return letters;
}

/**
 * Counts the dead letters of the queue by queue and reason, the largest group first. They stay there, but RabbitMQ counts a
 * delivery of each; `summarizeDeadLetters` does not touch the queue.
 *
 * @param limit maximum number of complete dead letters in the result.
 */
export async function surveyDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = 1000,
): Promise<DeadLetterOverview> {
  const survey = new Survey(limit);
  await readEach(url, filter, (letter) => {
    survey.add(letter);
    return true;
  });
  return survey.overview();
}

/** Counts dead letters by queue and reason, and keeps the first of them. */
export class Survey {
  readonly #groups = new Map<string, DeadLetterGroup>();
  readonly #letters: DeadLetter[] = [];
  readonly #limit: number;
  #total = 0;

  /** @param limit maximum number of complete dead letters to keep. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(letter: DeadLetter): void {
    const { queue, reason, lastFailedAt: at } = letter;
    const key = JSON.stringify([queue, reason]);
    const group = this.#groups.get(key) ?? { queue, reason, count: 0 };
    group.count += 1;
    // Times in ISO 8601 sort as text.
    if (at !== undefined && !(group.oldest !== undefined && group.oldest <= at)) group.oldest = at;
    if (at !== undefined && !(group.newest !== undefined && group.newest >= at)) group.newest = at;
    this.#groups.set(key, group);
    this.#total += 1;
    if (this.#letters.length < this.#limit) this.#letters.push(letter);
  }

  overview(): DeadLetterOverview {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    return { total: this.#total, groups, letters: this.#letters };
  }
}

/** Questions if the answer is 0, and the pause between two in milliseconds. */
const [maxTries, pauseMs] = [3, 200];

/** Counts the dead letters that wait in their queue; undefined if the login may not ask, as on RabbitMQ 4.3. */
export async function countDeadLetters(url: string): Promise<number | undefined> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters' });
  try {
    const channel = await connection.channel();
    let count = 0;
    // A busy broker answers 0; `queueState` has the reason, but changes delivery counts.
    for (let tries = 0; count === 0 && tries < maxTries; tries += 1) {
      if (tries > 0) await sleep(pauseMs);
      count = (await channel.checkQueue(deadLetters)).messageCount;
    }
    return count;
  } catch (error) {
    if (error instanceof WarrenError) throw error;
    return undefined;
  } finally {
    await connection.close();
  }
}

/**
 * Deletes dead letters for good.
 *
 * @param limit maximum number: dead letters that arrived after the user's confirmation stay.
 * @param end its `signal` ends the deletion after the dead letters in flight; `only` has offsets of entries of the index, whose dead
 *   letters alone are deleted, default all; `handled` is called with the offset of each.
 * @returns the deleted dead letters, without their bodies: all of them may need too much memory.
 */
export async function dropDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  limit = Number.POSITIVE_INFINITY,
  progress?: Progress,
  { by, ...end }: Pick<Taking, 'only' | 'handled' | 'signal' | 'source'> & { by?: string | undefined } = {},
): Promise<DeadLetterKey[]> {
  const dropped: DeadLetterKey[] = [];
  await takeEach(
    url,
    { filter, limit, progress, ended: { ending: 'dropped', by }, ...end },
    async (_message, { id, queue, reason }) => {
      dropped.push({ id, queue, reason });
      return 'remove';
    },
  );
  return dropped;
}
