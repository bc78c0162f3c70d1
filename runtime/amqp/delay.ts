import { randomUUID } from 'node:crypto';
import { durationMs } from '../base/duration.ts';
import { WarrenError } from '../base/errors.ts';
import { checkNumbers } from '../base/numbers.ts';
import {
  delayAddress,
  delayEntry,
  delayLevelHeader,
  delayLevels,
  delayToHeader,
  delayUnitMs,
  dueAtHeader,
  isDelayHeader,
  maxDelayMs,
} from '../topology/delay-names.ts';
import {
  copyHeader,
  expirationHeader,
  expiresAtHeader,
  isDeliveryHeader,
  movedHeaders,
  originExchangeHeader,
  originRoutingKeyHeader,
  routingKeyHeader,
} from './headers.ts';
import type { OutgoingMessage } from './outgoing.ts';

/** RabbitMQ's limit. */
const maxExpirationMs = 2 ** 32 - 1;

/**
 * A message with the time of its delivery in place of a delay, so that a second try does not delay it once more.
 *
 * @throws WarrenError ERR_CONFIG that names the field if the time is invalid or too far away, or the message cannot be delayed.
 */
export function timed<Message extends OutgoingMessage>(message: Message, now = Date.now()): Message {
  const { delay, deliverAt } = message;
  checkTimes(message);
  if (delay === undefined && deliverAt === undefined) return message;
  if (delay !== undefined && deliverAt !== undefined) {
    throw new WarrenError('ERR_CONFIG', 'deliverAt: expected none beside delay, got both');
  }
  // RabbitMQ 4 keeps messages by priority, and lets only the first one of a queue expire.
  if (message.priority !== undefined) refuse('priority', 'none with a delay', message.priority);
  if (message.table) refuse('table', 'headers with a delay', 'table');
  const due =
    deliverAt === undefined ? now + durationMs('delay', delay ?? 0, maxDelayMs) : timeOf(deliverAt, now);
  return { ...message, delay: undefined, deliverAt: new Date(due) };
}

/**
 * A message with a time of delivery and an identifier, which its second try has too: a consumer that gets both of them drops one.
 *
 * @param message as `timed` returns it.
 */
export function identified(message: OutgoingMessage): OutgoingMessage {
  if (message.deliverAt === undefined) return message;
  return { ...message, headers: { [copyHeader]: randomUUID(), ...message.headers } };
}

/**
 * The broker closes the channel of a message with a wrong expiration, and with a delay does not see it in a header: the message would be
 * lost as expired.
 */
function checkTimes({ expiration = 0, patienceMs }: OutgoingMessage): void {
  if (!Number.isInteger(expiration) || expiration < 0 || expiration > maxExpirationMs)
    refuse('expiration', `milliseconds from 0 to ${maxExpirationMs}`, expiration);
  if (patienceMs !== undefined) checkNumbers({ patienceMs }, { patienceMs: { least: 0, unlimited: true } });
}

function timeOf(deliverAt: unknown, now: number): number {
  const time = deliverAt instanceof Date ? deliverAt.getTime() : Number.NaN;
  if (time - now <= maxDelayMs) return time;
  const days = Math.floor(maxDelayMs / 86_400_000);
  const got = Number.isNaN(time) ? String(deliverAt) : (deliverAt as Date).toISOString();
  return refuse('deliverAt', `a Date of at most ${days} days from now`, got);
}

function refuse(field: string, expected: string, got: unknown): never {
  throw new WarrenError('ERR_CONFIG', `${field}: expected ${expected}, got ${got}`);
}

/**
 * The message that is published now: on the ladder of delays (`topology/delays.ts`) for a message that is due later, and the message
 * itself for any other. The headers by which the ladder routes come in addition, and two parts of the message move to headers: an
 * expiration would end it on the ladder, and counts from its delivery on; RabbitMQ drops a message as a cycle because of its x-death.
 *
 * @param message as `timed` returns it.
 */
export function onLadder(message: OutgoingMessage, now = Date.now()): OutgoingMessage {
  if (message.deliverAt === undefined) return message;
  const { deliverAt, ...plain } = message;
  const due = deliverAt.getTime();
  const units = Math.min(Math.ceil((due - now) / delayUnitMs), 2 ** delayLevels - 1);
  if (units <= 0) return plain;
  const { exchange, routingKey, expiration } = message;
  const address = delayAddress(exchange, routingKey);
  return {
    ...plain,
    exchange: delayEntry(address),
    expiration: undefined,
    headers: {
      // A message to a queue has no such header, and the publisher would add it for the entry.
      ...(exchange === '' && { [routingKeyHeader]: undefined }),
      ...carried(message.headers),
      [originExchangeHeader]: exchange,
      [originRoutingKeyHeader]: routingKey,
      ...(expiration !== undefined && {
        [expirationHeader]: String(expiration),
        [expiresAtHeader]: new Date(Math.min(due + expiration, endOf(message))).toISOString(),
      }),
      [delayToHeader]: address,
      [dueAtHeader]: deliverAt.toISOString(),
      ...levelHeaders(units),
    },
  };
}

/** When a message with `expiresAt` ends, in milliseconds since 1970; Infinity for any other. */
function endOf({ headers = {} }: OutgoingMessage): number {
  const at = headers[expiresAtHeader];
  return at === undefined ? Number.POSITIVE_INFINITY : new Date(String(at)).getTime();
}

/** A header for each bit of a number of units. */
function levelHeaders(units: number): Record<string, true> {
  const levels = Array.from({ length: delayLevels }, (_, level) => level);
  // Not by a bit operator, which has 32 bits.
  const set = levels.filter((level) => Math.floor(units / 2 ** level) % 2 === 1);
  return Object.fromEntries(set.map((level) => [delayLevelHeader(level), true]));
}

function carried(headers: OutgoingMessage['headers'] = {}): Record<string, unknown> {
  const kept = Object.entries(headers).filter(([name]) => !isDelayHeader(name) && !isDeliveryHeader(name));
  return Object.fromEntries(
    kept.map(([name, value]) => [name.startsWith('x-') ? (movedHeaders[name] ?? name) : name, value]),
  );
}
