import type { Message } from 'amqplib';
import { copyMark } from '../amqp/copy-mark.ts';
import { namesLeft } from '../amqp/fitting-table.ts';
import { maxNestedHeaders } from '../amqp/header-size.ts';
import {
  attemptsHeader,
  errorHeader,
  firstFailedAtHeader,
  headersLeftHeader,
  isBrokerHeader,
  lastFailedAtHeader,
  originExchangeHeader,
  originRoutingKeyHeader,
  queueHeader,
  reasonHeader,
} from '../amqp/headers.ts';
import { copiedProperties } from '../amqp/properties.ts';
import type { Publisher } from '../amqp/publisher.ts';
import { wireTimestamp } from '../amqp/raw-texts.ts';
import { WarrenError } from '../base/errors.ts';
import { deadLetterLog } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts';
import { isMessageRefused } from './message-refused.ts';

/** Maximum length of an error in an entry that cannot have all headers. */
const maxErrorLength = 2000;

/**
 * Publishes the entry of a dead letter to the index. Headers by which the broker would route the entry are left out, so the
 * origin is written by ours. If the entry cannot have the others, such as more than 64 KiB of them, it has ours only.
 *
 * @throws Error if even such an entry cannot be encoded; as `Publisher.publish`.
 */
export async function addEntry(publisher: Publisher, message: Message, letter?: DeadLetter): Promise<void> {
  const { headers, error, ...dead } = letter ?? toDeadLetter(message);
  const known = {
    [fingerprintHeader]: fingerprintOf(message),
    [queueHeader]: dead.queue,
    [reasonHeader]: dead.reason,
    [attemptsHeader]: dead.attempts,
    [firstFailedAtHeader]: dead.firstFailedAt,
    [lastFailedAtHeader]: dead.lastFailedAt,
    [originExchangeHeader]: dead.exchange,
    [originRoutingKeyHeader]: dead.routingKey,
  };
  const publish = (entry: Record<string, unknown>) =>
    publisher.publish({
      ...copiedProperties(message.properties),
      // Without an id of its own, the fingerprint, which is also its id in the queue.
      messageId: dead.id,
      exchange: '',
      routingKey: deadLetterLog,
      body: message.content,
      timestamp: wireTimestamp(message.properties),
      [copyMark]: true,
      headers: entry,
    });
  const kept = Object.entries(headers).filter(([name]) => !isBrokerHeader(name));
  try {
    const others = Object.fromEntries(kept.map(([name, value]) => [name, fitting(value)]));
    await publish({ ...others, ...known, [errorHeader]: error });
  } catch (cause) {
    // amqplib's errors and a refusal are about the message; the others are about the broker.
    if (cause instanceof WarrenError && !isMessageRefused(cause)) throw cause;
    const short = error?.slice(0, maxErrorLength);
    await publish({
      ...known,
      [errorHeader]: short,
      [headersLeftHeader]: namesLeft(kept.map(([name]) => name)),
    });
  }
}

/** RabbitMQ cannot write a decimal to a stream (3.10 to 4.3): it closes the connection with 541. The entry has a double. */
function fitting(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (depth >= maxNestedHeaders) return null;
  if (Array.isArray(value)) return value.map((each) => fitting(each, depth + 1));
  if ('!' in value) {
    if (value['!'] !== 'decimal' || !('value' in value)) return value;
    const { digits, places } = value.value as { digits: number; places: number };
    return { '!': 'double', value: digits / 10 ** places };
  }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fitting(each, depth + 1)]));
}
