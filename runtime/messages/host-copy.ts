import type { ConsumeMessage } from 'amqplib';
import { fieldBytes, joinTable, type RawField, rawField, splitTable } from '../amqp/field-table.ts';
import {
  attemptsHeader,
  copyHeader,
  errorHeader,
  faultsHeader,
  headersLeftHeader,
  isDeliveryHeader,
  lastFailedAtHeader,
  movedHeaders,
  queueHeader,
  reasonHeader,
} from '../amqp/headers.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { rawHeaders } from '../amqp/raw-headers.ts';
import { toEvent } from './event.ts';
import { copyOf } from './failed-copy.ts';
import { type ReceivedMessage, readEvent } from './received.ts';
import type { ItemFailure } from './verdicts.ts';

/** The broker's limit for a frame is 128 KiB; properties beside the headers take at most 4 KiB. */
const maxTableBytes = 120 * 1024;

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
  const { properties } = delivery;
  const copy = copyOf(receivedMessage(source, delivery), failure, now);
  const message: OutgoingMessage = {
    ...copy,
    contentType: properties.contentType,
    contentEncoding: properties.contentEncoding,
    correlationId: properties.correlationId,
    replyTo: properties.replyTo,
    type: properties.type,
    appId: properties.appId,
    timestamp: properties.timestamp,
  };
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
    const isOurs = typeof value === 'number' || typeof value === 'string';
    if (isOurs && (rewritten.has(name) || !carried.has(name))) carried.set(name, rawField(name, value));
  }
  return joinTable(fitting([...carried.values()]));
}

/** Headers of ours whose values change with each copy. */
const rewritten: ReadonlySet<string> = new Set([
  copyHeader,
  queueHeader,
  attemptsHeader,
  faultsHeader,
  lastFailedAtHeader,
  errorHeader,
  reasonHeader,
]);

/** The fields that fit, the smallest first; `x-warren-headers-left` names the others. */
function fitting(fields: readonly RawField[]): readonly RawField[] {
  let sum = fields.reduce((all, each) => all + fieldBytes(each), 0);
  if (sum <= maxTableBytes) return fields;
  const sorted = [...fields].sort((one, other) => fieldBytes(one) - fieldBytes(other));
  const left: string[] = [];
  while (sum > maxTableBytes - 1000) {
    const largest = sorted.pop();
    if (!largest) break;
    left.push(largest.name);
    sum -= fieldBytes(largest);
  }
  return [...sorted, rawField(headersLeftHeader, left.join(', ').slice(0, 900))];
}
