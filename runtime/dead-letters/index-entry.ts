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
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { copiedProperties } from '../amqp/properties.ts';
import { wireTimestamp } from '../amqp/raw-texts.ts';
import { deadLetterLog } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { fingerprintHeader, fingerprintOf } from './fingerprint.ts';

/** Maximum length of an error in an entry that cannot have all headers. */
const maxErrorLength = 2000;

/**
 * Returns the entry of a dead letter. Headers by which the broker would route the entry are left out, so the origin is written by
 * ours.
 */
export function fullEntry(message: Message, letter?: DeadLetter): OutgoingMessage {
  const dead = letter ?? toDeadLetter(message);
  const others = keptHeaders(dead).map(([name, value]) => [name, fitting(value)]);
  return entry(message, dead, {
    ...Object.fromEntries(others),
    ...known(message, dead),
    [errorHeader]: dead.error,
  });
}

/** Returns an entry with our headers only, and the names of the others. */
export function shortEntry(message: Message, letter?: DeadLetter): OutgoingMessage {
  const dead = letter ?? toDeadLetter(message);
  const headersLeft = namesLeft(keptHeaders(dead).map(([name]) => name));
  const error = dead.error?.slice(0, maxErrorLength);
  return entry(message, dead, {
    ...known(message, dead),
    [errorHeader]: error,
    [headersLeftHeader]: headersLeft,
  });
}

function entry(message: Message, { id }: DeadLetter, headers: Record<string, unknown>): OutgoingMessage {
  return {
    ...copiedProperties(message.properties),
    // Without an id of its own, the fingerprint, which is also its id in the queue.
    messageId: id,
    exchange: '',
    routingKey: deadLetterLog,
    body: message.content,
    timestamp: wireTimestamp(message.properties),
    [copyMark]: true,
    headers,
  };
}

const keptHeaders = ({ headers }: DeadLetter) =>
  Object.entries(headers).filter(([name]) => !isBrokerHeader(name));

const known = (message: Message, dead: DeadLetter): Record<string, unknown> => ({
  [fingerprintHeader]: fingerprintOf(message),
  [queueHeader]: dead.queue,
  [reasonHeader]: dead.reason,
  [attemptsHeader]: dead.attempts,
  [firstFailedAtHeader]: dead.firstFailedAt,
  [lastFailedAtHeader]: dead.lastFailedAt,
  [originExchangeHeader]: dead.exchange,
  [originRoutingKeyHeader]: dead.routingKey,
});

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
