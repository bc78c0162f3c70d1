// Compares amqplib's reading of deliveries with Warren's in one pass (`npm run build` first), from bytes in memory and in one process,
// without a broker.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { duplexPair } from 'node:stream';
import { body, decode, emptyProperties, fullProperties, readingInOnePass, stopwatch } from './shared.mjs';
import { median } from './statistics.mjs';

const require = createRequire(import.meta.url);
/** A part of amqplib that it does not export. */
const amqplibPart = (name) => require(join(dirname(require.resolve('amqplib')), 'lib', name));
const readInOnePass = await readingInOnePass();
const { Connection } = amqplibPart('connection');
const { ChannelModel } = amqplibPart('channel_model');
const credentials = amqplibPart('credentials');
const defs = amqplibPart('defs');
const { makeBodyFrame } = amqplibPart('frame');

const messages = 2000;
const repeats = 50;
const rounds = Number(process.argv[2] ?? 7);

const openFrames = {
  clientProperties: {},
  mechanism: 'PLAIN',
  response: credentials.plain('guest', 'guest').response(),
  locale: 'en_US',
  channelMax: 0,
  frameMax: 131_072,
  heartbeat: 0,
  virtualHost: '/',
  capabilities: '',
  insist: 0,
};

/** The bytes that a broker sends for the messages, cut as a socket delivers them. */
function wire(properties, size) {
  const parts = [];
  for (let n = 0; n < messages; n += 1) {
    const content = Buffer.from(JSON.stringify({ ...body(n), note: 'x'.repeat(size) }));
    parts.push(
      defs.encodeMethod(defs.BasicDeliver, 1, {
        consumerTag: 'amq.ctag-0123456789abcdefghijkl',
        deliveryTag: n + 1,
        redelivered: false,
        exchange: 'orders',
        routingKey: 'order.placed',
      }),
      defs.encodeProperties(defs.BasicProperties, 1, content.length, properties(n)),
    );
    for (let at = 0; at < content.length; at += 131_064)
      parts.push(makeBodyFrame(1, content.subarray(at, at + 131_064)));
  }
  const bytes = Buffer.concat(parts);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += 65_536) chunks.push(bytes.subarray(at, at + 65_536));
  return chunks;
}

/** A connection whose other side answers as a broker does, and a way to make bytes arrive. */
async function connected() {
  const [near, far] = duplexPair({ highWaterMark: 1024 * 1024 });
  const send = (id, channel, fields) => far.write(defs.encodeMethod(id, channel, fields));
  const replies = new Map([
    [
      defs.ConnectionStartOk,
      () => send(defs.ConnectionTune, 0, { channelMax: 0, frameMax: 131_072, heartbeat: 0 }),
    ],
    [defs.ConnectionOpen, () => send(defs.ConnectionOpenOk, 0, { knownHosts: '' })],
    [defs.ChannelOpen, () => send(defs.ChannelOpenOk, 1, { channelId: Buffer.alloc(0) })],
    [
      defs.BasicConsume,
      () => send(defs.BasicConsumeOk, 1, { consumerTag: 'amq.ctag-0123456789abcdefghijkl' }),
    ],
  ]);
  far.once('data', () => {
    far.on('data', (bytes) => {
      for (let at = 0; at + 11 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 3)) {
        if (bytes[at] === 1) replies.get(bytes.readUInt32BE(at + 7))?.();
      }
    });
    send(defs.ConnectionStart, 0, {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: {},
      mechanisms: Buffer.from('PLAIN'),
      locales: Buffer.from('en_US'),
    });
  });
  const connection = new Connection(near);
  await new Promise((resolve, reject) =>
    connection.open(openFrames, (error) => (error ? reject(error) : resolve())),
  );
  return { model: new ChannelModel(connection), far };
}

async function measure(change, chunks, use) {
  const { model, far } = await connected();
  change(model);
  const channel = await model.createChannel();
  let seen = 0;
  let finish;
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  await channel.consume('queue', (message) => {
    use(message);
    seen += 1;
    if (seen % 100 === 0) channel.ack(message, true);
    if (seen === messages * repeats) finish();
  });
  const stop = stopwatch();
  for (let n = 0; n < repeats; n += 1) {
    for (const chunk of chunks)
      if (!far.write(chunk)) await new Promise((resolve) => far.once('drain', resolve));
  }
  await finished;
  return stop(messages * repeats).cpuMicroseconds;
}

const contestants = {
  amqplib: () => {},
  'one pass': readInOnePass,
};
const uses = { 'read only': () => {}, 'JSON and schema': ({ content }) => decode(content) };
const kinds = {
  'full, 120 bytes': wire(fullProperties, 10),
  'empty, 120 bytes': wire(emptyProperties, 10),
  'full, 4 kB': wire(fullProperties, 4000),
};

for (const [kind, chunks] of Object.entries(kinds)) {
  for (const [use, handle] of Object.entries(uses)) {
    const taken = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, change] of Object.entries(contestants))
        taken[name].push(await measure(change, chunks, handle));
    }
    const [amqplib, onePass] = Object.values(taken).map(median);
    const ranges = Object.values(taken).map(
      (all) => `${Math.min(...all).toFixed(1)}-${Math.max(...all).toFixed(1)}`,
    );
    console.log(
      `${kind}, ${use}: amqplib ${amqplib.toFixed(1)} us (${ranges[0]}), one pass ${onePass.toFixed(1)} us (${ranges[1]}), ${(amqplib / onePass).toFixed(2)} times`,
    );
  }
}
process.exit(0);
