import type { Message } from 'amqplib';
import {
  attemptsHeader,
  errorHeader,
  firstFailedAtHeader,
  isBrokerHeader,
  lastFailedAtHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  queueHeader,
  reasonHeader,
} from '../amqp/headers.ts';
import { copiedProperties } from '../amqp/properties.ts';
import { Publisher } from '../amqp/publisher.ts';
import { WarrenError } from '../base/errors.ts';
import type { DeclaredIndex } from '../topology/dead-letter-index.ts';
import { deadLetterLog } from '../topology/names.ts';
import type { DeadLetter } from './dead-letter.ts';
import { readEntries } from './entries.ts';
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts';
import { type Progress, takeEach } from './take.ts';

export interface Reindexed {
  /** Dead letters in the queue. */
  total: number;
  /** Entries that were missing. */
  added: number;
  /** Ids of dead letters that cannot be published to the index, such as those with more than 64 KiB of headers. */
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
  const publisher = new Publisher({ url, name: 'warren dead-letters reindex' });
  const result: Reindexed = { total: 0, added: 0, failed: [] };
  try {
    await takeEach(url, { filter: {}, progress }, async (message, letter, isIndexed) => {
      result.total += 1;
      if (isIndexed) return 'keep';
      try {
        await addEntry(publisher, message, letter);
        result.added += 1;
      } catch (error) {
        // amqplib's RangeError for more than 64 KiB of headers is about this dead letter alone.
        if (!(error instanceof Error) || error instanceof WarrenError) throw error;
        result.failed.push(letter.id);
      }
      return 'keep';
    });
  } finally {
    await publisher.close();
  }
  return result;
}

/**
 * Adds the dead letters to the index that are older than it, after an upgrade.
 *
 * @param index the result of `applyTopology`.
 * @returns undefined if the index is not new.
 * @throws as `reindexDeadLetters`; WarrenError ERR_BROKER_REFUSED if the login may not read the dead letters.
 */
export async function indexOlderDeadLetters(
  url: string,
  index: DeclaredIndex | undefined,
  progress?: Progress,
): Promise<Reindexed | undefined> {
  if (!index?.isEmpty) return undefined;
  // The broker counts the messages of a stream every few seconds only.
  for await (const _ of readEntries(url)) return undefined;
  return reindexDeadLetters(url, progress);
}

/** Publishes an entry. Headers by which the broker would route the entry are left out, so the origin is written by ours. */
async function addEntry(publisher: Publisher, message: Message, letter: DeadLetter): Promise<void> {
  const headers = Object.entries(letter.headers).filter(([name]) => !isBrokerHeader(name));
  const known: Record<string, unknown> = {
    [fingerprintHeader]: fingerprintOf(message),
    [queueHeader]: letter.queue,
    [reasonHeader]: letter.reason,
    [errorHeader]: letter.error,
    [attemptsHeader]: letter.attempts,
    [firstFailedAtHeader]: letter.firstFailedAt,
    [lastFailedAtHeader]: letter.lastFailedAt,
    [originExchangeHeader]: letter.exchange,
    [originRoutingKeyHeader]: letter.routingKey,
  };
  await publisher.publish({
    ...copiedProperties(message.properties),
    // Without an id of its own, the fingerprint, which is also its id in the queue.
    messageId: letter.id,
    exchange: '',
    routingKey: deadLetterLog,
    body: message.content,
    timestamp: message.properties.timestamp,
    headers: { ...Object.fromEntries(headers), ...known },
  });
}
