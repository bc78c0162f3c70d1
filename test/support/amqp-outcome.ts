import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { readInOnePass } from '../../runtime/amqp/one-pass/read-in-one-pass.ts';
import { keepRawHeaders, rawHeaderBytes, rawHeaders } from '../../runtime/amqp/raw-headers.ts';
import { wireTimestamp } from '../../runtime/amqp/raw-texts.ts';
import { tolerateUnreadable } from '../../runtime/amqp/unreadable.ts';
import type { ArrivingCase } from './amqp-cases.ts';
import { amqpPair } from './amqp-pair.ts';

type Change = (model: ChannelModel) => void;

/** Reads frames with amqplib. */
export const withAmqplib: Change = (model) => {
  tolerateUnreadable(model);
  keepRawHeaders(model);
};
export const inOnePass: Change = (model) => {
  withAmqplib(model);
  readInOnePass(model);
};

/** All that a connection does with what arrives: its messages, events and errors, and what it sends. */
export async function outcome({ chunks, act }: ArrivingCase, change: Change) {
  const { model, arrive, sent } = await amqpPair();
  change(model);
  const log: unknown[] = [];
  const channels = [await model.createChannel(), await model.createChannel()];
  for (const kind of ['error', 'close', 'blocked', 'unblocked'])
    model.on(kind, (...values: unknown[]) => log.push(['connection', kind, ...values.map(shown)]));
  let count = 0;
  for (const [index, channel] of channels.entries()) {
    for (const kind of ['error', 'close', 'return', 'cancel'])
      channel.on(kind, (...values: unknown[]) => log.push([index, kind, ...values.map(shown)]));
    for (const consumerTag of ['one', 'two']) {
      const consume = (message: ConsumeMessage | null) => {
        log.push([index, consumerTag, message && received(message)]);
        if (count++ === act.at) perform(act.what, model, channel);
      };
      await channel.consume('queue', consume, { consumerTag });
    }
  }
  for (const chunk of chunks) await arrive(chunk);
  const { rest } = model.connection as unknown as { rest: Buffer };
  return { log, sent: sent().toString('latin1'), rest: rest.toString('latin1') };
}

function perform(what: ArrivingCase['act']['what'], model: ChannelModel, channel: Channel): void {
  if (what === 'throw') throw new Error('thrown by the consumer');
  if (what === 'overflow') throw new RangeError('Maximum call stack size exceeded');
  if (what === 'close channel') channel.close().catch(() => undefined);
  if (what === 'close connection') model.close().catch(() => undefined);
}

/** What can be compared of a value: properties in their order, with their types, and also a prototype that a header replaced. */
function shown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value)) return { bytes: value.toString('latin1') };
  if (Array.isArray(value)) return value.map(shown);
  const own = Object.entries(value).map(([name, each]) => [name, shown(each)]);
  if (value instanceof Error) return { error: value.name, message: value.message, own };
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype;
  return { own, prototype: isPlain ? 'plain' : shown(prototype) };
}

/** A message, with what is kept beside it. */
function received(message: ConsumeMessage): unknown {
  const { properties } = message;
  const [size, timestamp] = [rawHeaderBytes(properties), wireTimestamp(properties)];
  return { message: shown(message), table: shown(rawHeaders(properties)), size, timestamp };
}
