import type { BasicProperties, RabbitMQEvent, RabbitMQMessage } from '../../messages/event.ts';
import type { HeaderValue } from '../../messages/event-headers.ts';

/**
 * An event in a shorter form: properties have no names, and the bytes of a header are a text with a character for each. As JSON,
 * AWS's form takes two to three times the CPU time, most of it for the list of numbers that each header is (measured).
 */
export interface PackedEvent {
  arn: string;
  /** Queues and their messages. */
  queues: [queue: string, messages: PackedMessage[]][];
}

type P = BasicProperties;

// biome-ignore format: one line for each place
type PackedMessage = [
  redelivered: boolean, data: string, headers: PackedValue[] | null,
  contentType: P['contentType'], contentEncoding: P['contentEncoding'], deliveryMode: P['deliveryMode'],
  priority: P['priority'], correlationId: P['correlationId'], replyTo: P['replyTo'], expiration: P['expiration'],
  messageId: P['messageId'], timestamp: P['timestamp'], type: P['type'], userId: P['userId'], appId: P['appId'],
  clusterId: P['clusterId'], bodySize: P['bodySize'],
];

/** A text is bytes; a list begins with its kind. */
type PackedValue = string | number | boolean | null | PackedValue[];

const kinds = { list: 0, record: 1, text: 2 };

/** An event of RabbitMQ in its shorter form, or any other one, such as that of an HTTP request, as it is. */
export type SentEvent = { packed: PackedEvent } | { event: unknown };

export function packEvent(event: RabbitMQEvent | object): SentEvent {
  if (!('rmqMessagesByQueue' in event)) return { event };
  const { eventSourceArn: arn, rmqMessagesByQueue } = event;
  const queues = Object.entries(rmqMessagesByQueue);
  return { packed: { arn, queues: queues.map(([queue, messages]) => [queue, messages.map(packMessage)]) } };
}

export function unpackEvent(sent: SentEvent): unknown {
  if (!('packed' in sent)) return sent.event;
  const { arn, queues } = sent.packed;
  const messages = queues.map(([queue, packed]) => [queue, packed.map(unpackMessage)] as const);
  const rmqMessagesByQueue = Object.fromEntries(messages);
  return { eventSource: 'aws:rmq', eventSourceArn: arn, rmqMessagesByQueue } satisfies RabbitMQEvent;
}

function packMessage({ redelivered, data, basicProperties: p }: RabbitMQMessage): PackedMessage {
  const headers = p.headers && packFields(p.headers, []);
  // biome-ignore format: as the type
  return [
    redelivered, data, headers,
    p.contentType, p.contentEncoding, p.deliveryMode,
    p.priority, p.correlationId, p.replyTo, p.expiration,
    p.messageId, p.timestamp, p.type, p.userId, p.appId,
    p.clusterId, p.bodySize,
  ];
}

function unpackMessage(packed: PackedMessage): RabbitMQMessage {
  const headers = packed[2] && unpackFields(packed[2], 0);
  return {
    basicProperties: {
      contentType: packed[3],
      contentEncoding: packed[4],
      headers,
      deliveryMode: packed[5],
      priority: packed[6],
      correlationId: packed[7],
      replyTo: packed[8],
      expiration: packed[9],
      messageId: packed[10],
      timestamp: packed[11],
      type: packed[12],
      userId: packed[13],
      appId: packed[14],
      clusterId: packed[15],
      bodySize: packed[16],
    },
    redelivered: packed[0],
    data: packed[1],
  };
}

/** Adds names and values in turn. */
function packFields(record: Record<string, HeaderValue>, packed: PackedValue[]): PackedValue[] {
  for (const name of Object.keys(record)) packed.push(name, pack(record[name] as HeaderValue));
  return packed;
}

/** @param from index of the first name. */
function unpackFields(packed: readonly PackedValue[], from: number): Record<string, HeaderValue> {
  const record: Record<string, HeaderValue> = {};
  for (let at = from; at < packed.length; at += 2) {
    const name = packed[at] as string;
    const value = unpack(packed[at + 1] as PackedValue);
    // An assignment of this key would change the object's prototype.
    if (name === '__proto__') Object.defineProperty(record, name, { value, enumerable: true });
    else record[name] = value;
  }
  return record;
}

function pack(value: HeaderValue): PackedValue {
  if (typeof value === 'string') return [kinds.text, value];
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return [kinds.list, ...value.map(pack)];
  const { bytes } = value;
  if (isBytes(bytes) && Object.keys(value).length === 1) return textOf(bytes);
  return packFields(value as Record<string, HeaderValue>, [kinds.record]);
}

function unpack(packed: PackedValue): HeaderValue {
  if (typeof packed === 'string') return { bytes: bytesOf(packed) };
  if (!Array.isArray(packed)) return packed;
  const [kind, first] = packed;
  if (kind === kinds.text) return first as string;
  return kind === kinds.list ? packed.slice(1).map(unpack) : unpackFields(packed, 1);
}

/** A nested table may have a field of that name as well, with other values. */
function isBytes(value: unknown): value is number[] {
  if (!Array.isArray(value)) return false;
  for (const each of value) if (!Number.isInteger(each) || each < 0 || each > 255) return false;
  return true;
}

/** More arguments than this may exceed the stack. */
const maxArguments = 1000;

function textOf(bytes: readonly number[]): string {
  if (bytes.length > maxArguments) return Buffer.from(bytes).toString('latin1');
  return String.fromCharCode.apply(null, bytes as number[]);
}

function bytesOf(text: string): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) bytes.push(text.charCodeAt(at));
  return bytes;
}
