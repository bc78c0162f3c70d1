import type { ConsumeMessage } from 'amqplib';
import { type RawField, rawField, splitTable } from '../amqp/field-table.ts';
import { fittingTable } from '../amqp/fitting-table.ts';
import {
  attemptsHeader,
  copyHeader,
  errorHeader,
  faultsHeader,
  firstFailedAtHeader,
  headersLeftHeader,
  isDeliveryHeader,
  lastFailedAtHeader,
  movedHeaders,
  queueHeader,
  reasonHeader,
} from '../amqp/headers.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { rawHeaders } from '../amqp/raw-headers.ts';
import { wireTimestamp } from '../amqp/raw-texts.ts';
import { toEvent } from './event.ts';
import { copyOf } from './failed-copy.ts';
import { type ReceivedMessage, readEvent } from './received.ts';
import type { ItemFailure } from './verdicts.ts';

type Source = Parameters<typeof toEvent>[0];
type Failure = Pick<ItemFailure, 'verdict' | 'error' | 'fault'>;

/** A delivery as a function would receive it. */
export function receivedMessage(source: Source, delivery: ConsumeMessage): ReceivedMessage {
  return readEvent(toEvent(source, [delivery]))[0] as ReceivedMessage;
}

/**
 * The copy of a failed message that its host makes. Body, properties and headers are those that the host received: no header
 * changes its value or its type, as it would on the way through AWS's event.
 */
export function hostCopy(
  source: Source,
  delivery: ConsumeMessage,
  failure: Failure,
  now: Date,
): OutgoingMessage {
  return withWireValues(delivery, copyOf(receivedMessage(source, delivery), failure, now));
}

/**
 * The copy of a message that was delivered and not called. It returns through the retry queue of the shortest delay, which every
 * consumer may publish to, and its attempts and failures stay what they were.
 */
export function uncalledCopy(
  source: Source,
  delivery: ConsumeMessage,
  seconds: number,
  now: Date,
): OutgoingMessage {
  const uncalled: Failure = { verdict: { to: 'retry', seconds }, error: '', fault: false };
  const copy = copyOf(receivedMessage(source, delivery), uncalled, now);
  const headers = Object.entries(copy.headers ?? {}).filter(([name]) => !ofFailures.has(name));
  return withWireValues(delivery, { ...copy, headers: Object.fromEntries(headers) });
}

/** The copy with the timestamp and the headers as the host received them. */
function withWireValues({ properties }: ConsumeMessage, copy: OutgoingMessage): OutgoingMessage {
  const message: OutgoingMessage = { ...copy, timestamp: wireTimestamp(properties) };
  const table = rawHeaders(properties);
  return table === undefined ? message : { ...message, table: copiedTable(table, copy.headers ?? {}) };
}

/**
 * The table of a copy.
 *
 * @param original the headers of the delivery, as bytes.
 * @param decoded the headers of the copy with decoded values; those that the delivery does not have are ours.
 */
function copiedTable(original: Buffer, decoded: Readonly<Record<string, unknown>>): Buffer {
  const carried = new Map<string, RawField>();
  for (const { name, value } of splitTable(original)) {
    if (isDeliveryHeader(name)) continue;
    const target = Object.hasOwn(movedHeaders, name) ? (movedHeaders[name] as string) : name;
    // Only the first value is kept: later ones describe our own retry queues.
    if (target === name || !carried.has(target)) carried.set(target, { name: target, value });
  }
  for (const [name, value] of Object.entries(decoded)) {
    // The table carries what the decoded headers could not.
    if (name === headersLeftHeader) continue;
    const isOurs = typeof value === 'number' || typeof value === 'string';
    if (isOurs && (rewritten.has(name) || !carried.has(name))) carried.set(name, rawField(name, value));
  }
  return fittingTable([...carried.values()]);
}

/** Headers that describe failures. */
const ofFailures: ReadonlySet<string> = new Set([
  attemptsHeader,
  faultsHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
  errorHeader,
]);

/** Headers of ours whose values change with each copy, or that another program may have written with a value of no use. */
const rewritten: ReadonlySet<string> = new Set([
  copyHeader,
  queueHeader,
  attemptsHeader,
  faultsHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
  errorHeader,
  reasonHeader,
]);
