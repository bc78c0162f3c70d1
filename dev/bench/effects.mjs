#!/usr/bin/env node
// What an effect that happens once costs: functions with `warren/effects` and `warren/claims` and without, fed from a queue as
// `warren worker` does, in turns. Prints milliseconds a message: the median of the rounds (least to most).
//   node --import tsx dev/bench/effects.mjs [rounds]
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import amqplib from 'amqplib';
import pg from 'pg';
import { startStack } from '../stack/stack.ts';
import { effectCases } from './effects-cases.mjs';
import { queueArguments } from './queues.mjs';
import { buildWarren, log } from './setup.mjs';
import { fullProperties, meter, startWorker, warren } from './shared.mjs';
import { median } from './statistics.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const rounds = Number(process.argv[2] ?? 5);

buildWarren();
const dataDir = await mkdtemp(join(tmpdir(), 'warren-bench-'));
log('Starting broker, database and storage for this run.');
const quiet = { functions: undefined, given: {}, report: () => undefined };
const { env, stop } = await startStack({ dataDir, ports: 'free', ...quiet });
const connection = await amqplib.connect(env.AMQP_URL, { noDelay: true });
const channel = await connection.createConfirmChannel();
const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: 10 });
const library = await warren();
const publisher = new library.Publisher({ url: env.AMQP_URL, name: 'bench: effects' });
const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
const s3 = new S3({
  endpoint: env.S3_ENDPOINT,
  credentials,
  forcePathStyle: true,
  region: 'us-east-1',
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
});
const claims = library.s3Claims({ s3, bucket: env.S3_BUCKET });
const database = library.pgDatabase(pool);
const effects = new library.Effects({ database, publisher, log: library.silentLog });
await library.createEffectsTables(database);
await pool.query('create table parcels (name text not null)');

/** Publishes messages and has them handled. @returns milliseconds a message for each of both. */
async function turn({ handler, publish, batchSize, body, count, warmUp }) {
  const queue = `bench-effects-${randomUUID()}`;
  const target = `${queue}-target`;
  await channel.assertQueue(queue, { durable: true, arguments: queueArguments('quorum', queue) });
  // The newest message replaces the others, so that the target costs the same all the time.
  const short = { 'x-queue-type': 'classic', 'x-max-length': 1 };
  await channel.assertQueue(target, { durable: true, arguments: short });
  const { one, finished } = meter(count, warmUp);
  try {
    const sender = publish?.({ publisher, claims, withClaims: library.withClaims });
    const publishMs = await fill(queue, sender, body, count + 2 * batchSize);
    const parts = { ...library, one, target, pool, effects, publisher, claims };
    const makeHandler = () => handler(parts);
    const end = await startWorker(
      { url: env.AMQP_URL, queues: [queue], batchSize, windowMs: 0 },
      makeHandler,
    );
    const { perSecond } = await finished;
    await end();
    return { publishMs, handleMs: 1000 / perSecond };
  } finally {
    await channel.deleteQueue(queue);
    await channel.deleteQueue(target);
    await pool.query('truncate parcels, warren_inbox, warren_outbox, warren_leases');
  }
}

/** @returns milliseconds a message. */
async function fill(queue, sender, body, count) {
  const ids = randomUUID();
  const begun = performance.now();
  for (let n = 0; n < count; ) {
    const some = Array.from({ length: Math.min(sender ? 10 : 1000, count - n) }, (_, index) => n + index);
    const properties = (each) => ({ ...fullProperties(each), messageId: `${ids}-${each}` });
    if (sender) {
      const { headers: _, timestamp: __, ...rest } = properties(0);
      const message = (each) => ({
        ...rest,
        messageId: `${ids}-${each}`,
        exchange: '',
        routingKey: queue,
        body,
      });
      await Promise.all(some.map((each) => sender.publish(message(each))));
    } else {
      for (const each of some)
        channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), properties(each));
      await channel.waitForConfirms();
    }
    n += some.length;
  }
  return (performance.now() - begun) / count;
}

const shown = (values) =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)})`;
console.log('| | batch | without | with | cost |\n|---|---|---|---|---|');
for (const { title, batchSizes, measured = 'handleMs', without, with: using, ...settings } of effectCases) {
  for (const batchSize of batchSizes) {
    const numbers = { without: [], with: [] };
    for (let round = 0; round < rounds; round += 1) {
      log(`${title}, batch of ${batchSize}: round ${round + 1} of ${rounds}`);
      const both = [
        ['without', without],
        ['with', using],
      ];
      for (const [name, given] of round % 2 === 0 ? both : both.reverse()) {
        numbers[name].push((await turn({ ...settings, ...given, batchSize }))[measured]);
      }
    }
    const cost = numbers.with.map((value, round) => value - numbers.without[round]);
    console.log(
      `| ${[title, batchSize, shown(numbers.without), shown(numbers.with), shown(cost)].join(' | ')} |`,
    );
  }
}

await Promise.all([pool.end(), publisher.close(), connection.close()]);
s3.destroy();
await stop();
await rm(dataDir, { recursive: true, force: true });
