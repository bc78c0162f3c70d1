import { BrokerConnection } from '../amqp/connection.ts';
import { WarrenError } from '../base/errors.ts';
import type { DeclaredIndex } from '../topology/dead-letter-index.ts';
import { readEntries } from './entries.ts';
import { EntryWriter } from './entry-writer.ts';
import { type Progress, takeEach } from './take.ts';
import { connected } from './visit.ts';

export interface Reindexed {
  /** Dead letters in the queue. */
  total: number;
  /** Entries that were missing. */
  added: number;
  /** Ids of dead letters that cannot be published to the index, such as one with a correlation id that is not UTF-8. */
  failed: string[];
}

/**
 * Compares the index of the dead letters with their queue. It adds an entry for each dead letter that has none, and marks the
 * entries whose dead letter is gone. Every dead letter is read once, and RabbitMQ counts a delivery of each before 4.3. While it
 * runs, other readers of the queue do not see the dead letters, so only one command may work on them at a time.
 *
 * @param url AMQP URL of the broker.
 * @throws UnroutableError if the broker has no index, UnavailableError if the broker is unavailable.
 */
export async function reindexDeadLetters(url: string, progress?: Progress): Promise<Reindexed> {
  const name = 'warren dead-letters reindex';
  const connection = new BrokerConnection({ url, name });
  const writer = new EntryWriter(url, name, connection);
  const result: Reindexed = { total: 0, added: 0, failed: [] };
  try {
    await takeEach(url, { filter: {}, progress }, async (message, letter, offset) => {
      result.total += 1;
      if (offset !== undefined) return 'keep';
      try {
        await writer.add(message, letter);
        result.added += 1;
      } catch (error) {
        // An error of amqplib is about this dead letter alone.
        if (!(error instanceof Error) || error instanceof WarrenError) throw error;
        result.failed.push(letter.id);
      }
      return 'keep';
    });
  } finally {
    await writer.close();
    await connection.close();
  }
  return result;
}

/**
 * Adds the dead letters to the index that are older than it, after an upgrade.
 *
 * @param index the result of `applyTopology`.
 * @returns undefined if the index is not new, or if there are no dead letters.
 * @throws as `reindexDeadLetters`; WarrenError ERR_BROKER_REFUSED if the login may not read the dead letters.
 */
export async function indexOlderDeadLetters(
  url: string,
  index: DeclaredIndex | undefined,
  progress?: Progress,
): Promise<Reindexed | undefined> {
  if (!index?.isEmpty || !(await hasDeadLetters(url))) return undefined;
  // The broker counts the messages of a stream every few seconds only.
  for await (const _ of readEntries(url)) return undefined;
  return reindexDeadLetters(url, progress);
}

/** A system without dead letters needs no look at the index at its start. */
async function hasDeadLetters(url: string): Promise<boolean> {
  let count = 0;
  await connected(url, async (_connection, { messageCount }) => {
    count = messageCount;
  });
  return count > 0;
}
