#!/usr/bin/env node
// What a process for each function costs: messages per second of `warren worker` with and without --processes, in turns.
//   node --import tsx dev/bench/isolation.mjs [rounds]
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import amqplib from 'amqplib';
import { useBroker } from './setup.mjs';

const rounds = Number(process.argv[2] ?? 3);
const program = fileURLToPath(new URL('../../runtime/cli/warren.cjs', import.meta.url));
/** Messages of a run, and those before the clock starts: V8 compiles during the first ones. */
const counts = { 1: [6000, 2000], 100: [60_000, 20_000] };

const handler = ([count, warmUp]) => `
import { writeFileSync } from 'node:fs';
let seen = 0;
let since;
export async function handler(event) {
  for (const { data } of Object.values(event.rmqMessagesByQueue).flat()) {
    JSON.parse(Buffer.from(data, 'base64').toString());
    seen += 1;
    if (seen === ${warmUp}) since = performance.now();
    if (seen === ${count}) writeFileSync(new URL('result', import.meta.url), String(performance.now() - since));
  }
}`;

const { url, stop } = await useBroker();
const connection = await amqplib.connect(url);
const channel = await connection.createConfirmChannel();

async function perSecond(batchSize, args) {
  const folder = await mkdtemp(join(tmpdir(), 'warren-isolation-'));
  const [count, warmUp] = counts[batchSize];
  const queues = ['fed', 'idle'].map((name) => `bench-${name}-${randomUUID()}`);
  const names = ['fed', 'idle'];
  for (const queue of queues) {
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  }
  const event = (queue) => ({ rabbitmq: { queue, batchSize } });
  const functions = Object.fromEntries(
    names.map((name, n) => [name, { handler: 'work.handler', timeout: 30, events: [event(queues[n])] }]),
  );
  await writeFile(join(folder, 'work.mjs'), handler([count, warmUp]));
  await writeFile(join(folder, 'warren.json'), JSON.stringify({ functions }));
  const content = Buffer.from(JSON.stringify({ id: 1, text: 'x'.repeat(100) }));
  for (let n = 0; n < count; n += 1) {
    channel.sendToQueue(queues[0], content, { persistent: true, contentType: 'application/json' });
    if (n % 5000 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  const command = [program, 'worker', '--manifest', join(folder, 'warren.json'), '--port', '0', ...args];
  const worker = spawn(process.execPath, command, {
    env: { ...process.env, AMQP_URL: url, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  let ms;
  while (ms === undefined && worker.exitCode === null) {
    await pause(100);
    ms = await readFile(join(folder, 'result'), 'utf8').then(Number, () => undefined);
  }
  worker.kill('SIGTERM');
  await ended;
  for (const queue of queues) await channel.deleteQueue(queue);
  await rm(folder, { recursive: true });
  return (count - warmUp) / (ms / 1000);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
for (const batchSize of [1, 100]) {
  const results = { inProcess: [], isolated: [] };
  for (let round = 0; round < rounds; round += 1) {
    results.inProcess.push(await perSecond(batchSize, []));
    results.isolated.push(await perSecond(batchSize, ['--processes', '1']));
  }
  const [inProcess, isolated] = [median(results.inProcess), median(results.isolated)];
  const ratio = (isolated / inProcess).toFixed(2);
  console.log(
    `batch of ${batchSize}: ${Math.round(inProcess)} in-process, ${Math.round(isolated)} isolated: ${ratio}`,
  );
}
await connection.close();
await stop();
