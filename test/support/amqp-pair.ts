import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import type { ChannelModel } from 'amqplib';
import { method, shortText, sized } from './amqp-frames.ts';

interface AmqplibConnection {
  open(fields: object, opened: (error: Error | null) => void): void;
}

/** A part of amqplib that it does not export. */
const require = createRequire(import.meta.url);
const amqplib = (part: string): unknown =>
  require(join(dirname(require.resolve('amqplib')), 'lib', `${part}.js`));
const { Connection } = amqplib('connection') as { Connection: new (stream: Duplex) => AmqplibConnection };
const model = amqplib('channel_model') as {
  ChannelModel: new (connection: AmqplibConnection) => ChannelModel;
};

const open = {
  clientProperties: {},
  mechanism: 'PLAIN',
  response: Buffer.from('\0guest\0guest'),
  locale: 'en_US',
  channelMax: 0,
  frameMax: 131_072,
  heartbeat: 0,
  virtualHost: '/',
  capabilities: '',
  insist: 0,
  maxFrameSize: 8192,
};

/** A connection of amqplib whose other side answers as a broker does, without one. */
export interface AmqpPair {
  model: ChannelModel;
  /** Lets bytes arrive, and waits until they are read. */
  arrive(bytes: Buffer): Promise<void>;
  /** All that the connection has sent. */
  sent(): Buffer;
  /** Forgets what it has sent. */
  forget(): void;
}

export async function amqpPair(): Promise<AmqpPair> {
  const [near, far] = duplexPair();
  const sent: Buffer[] = [];
  far.once('data', () => {
    far.on('data', (bytes: Buffer) => {
      sent.push(bytes);
      for (let at = 0; at + 11 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 3))
        if (bytes[at] === 1) answer(far, bytes.subarray(at));
    });
    const versions = Buffer.of(0, 9);
    far.write(method(0, 10, 10, versions, sized(), sized(Buffer.from('PLAIN')), sized(Buffer.from('en_US'))));
  });
  const connection = new Connection(near);
  await new Promise<void>((resolve, reject) => {
    connection.open(open, (error) => (error ? reject(error) : resolve()));
  });
  const arrive = async (bytes: Buffer) => {
    far.write(bytes);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    model: new model.ChannelModel(connection),
    arrive,
    sent: () => Buffer.concat(sent),
    forget: () => void sent.splice(0),
  };
}

/** Answers the requests that open a connection, its channels, their consumers and their confirms. */
function answer(far: Duplex, request: Buffer): void {
  const channel = request.readUInt16BE(1);
  const [ofClass, id] = [request.readUInt16BE(7), request.readUInt16BE(9)];
  const number = ofClass * 100 + id;
  if (number === 1011) far.write(method(0, 10, 30, Buffer.of(0, 0, 0, 2, 0, 0, 0, 0)));
  if (number === 1040) far.write(method(0, 10, 41, shortText('')));
  if (number === 2010) far.write(method(channel, 20, 11, sized()));
  if (number === 8510) far.write(method(channel, 85, 11));
  if (number !== 6020) return;
  // A reserved short integer, the queue, the tag.
  const tagAt = 13 + 1 + request.readUInt8(13);
  const tag = request.subarray(tagAt + 1, tagAt + 1 + request.readUInt8(tagAt));
  far.write(method(channel, 60, 21, shortText(tag)));
}
