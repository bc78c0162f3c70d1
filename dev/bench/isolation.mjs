#!/usr/bin/env node
// What a process for each function costs: `warren worker` with --processes 0 and 1, in turns. Messages per second, and the CPU
// time of a message in microseconds: that of the worker and of the function's process together.
//   node --import tsx dev/bench/isolation.mjs [rounds] [batch size...]
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import amqplib from 'amqplib';
import { buildWarren, log, useBroker } from './setup.mjs';

const rounds = Number(process.argv[2] ?? 5);
const batchSizes = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [1, 10, 100];
const program = fileURLToPath(new URL('../../dist/package/cli/warren.cjs', import.meta.url));
/** Messages of a run, and those before the clock starts: V8 compiles during the first ones. */
const counts = { 1: [24_000, 8000], 10: [30_000, 10_000], 100: [100_000, 30_000] };
/** Linux counts CPU time in hundredths of a second. */
const tickUs = 10_000;

const handler = ([count, warmUp]) => `
import { writeFileSync } from 'node:fs';
let seen = 0;
let since;
let cpu;
const note = (name, value) => writeFileSync(new URL(name, import.meta.url), JSON.stringify(value));
export async function handler(event) {
  for (const { data } of Object.values(event.rmqMessagesByQueue).flat()) {
    JSON.parse(Buffer.from(data, 'base64').toString());
    seen += 1;
    if (seen === ${warmUp}) {
      since = performance.now();
      cpu = process.cpuUsage();
      note('warm', true);
    }
    if (seen !== ${count}) continue;
    const { user, system } = process.cpuUsage(cpu);
    note('result', { pid: process.pid, ms: performance.now() - since, cpuUs: user + system });
  }
}`;

buildWarren();
const { url, stop } = await useBroker();
const connection = await amqplib.connect(url);
const channel = await connection.createConfirmChannel();

async function cpuUsOf(pid) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * tickUs;
}

/** Resolves with the content of a file when it is there. */
async function noted(file, worker) {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text !== '') return JSON.parse(text);
    if (worker.exitCode !== null) throw new Error(`the worker ended with ${worker.exitCode}`);
    await pause(10);
  }
}

async function fill(queue, count) {
  const content = Buffer.from(JSON.stringify({ id: 1, text: 'x'.repeat(100) }));
  for (let n = 0; n < count; n += 1) {
    channel.sendToQueue(queue, content, {
      persistent: true,
      contentType: 'application/json',
      messageId: randomUUID(),
      timestamp: Math.floor(Date.now() / 1000),
      headers: { 'x-routing-key': 'a.key', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
    });
    if (n % 5000 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

async function measure(batchSize, processes) {
  const folder = await mkdtemp(join(tmpdir(), 'warren-isolation-'));
  const [count, warmUp] = counts[batchSize];
  const queue = `bench-${randomUUID()}`;
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const definition = { handler: 'work.handler', timeout: 30, events: [{ rabbitmq: { queue, batchSize } }] };
  await writeFile(join(folder, 'work.mjs'), handler([count, warmUp]));
  await writeFile(join(folder, 'warren.json'), JSON.stringify({ functions: { fed: definition } }));
  await fill(queue, count);
  const args = ['--manifest', join(folder, 'warren.json'), '--no-http', '--processes', String(processes)];
  const worker = spawn(process.execPath, [program, 'worker', ...args], {
    env: { ...process.env, AMQP_URL: url, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await noted(join(folder, 'warm'), worker);
  const before = await cpuUsOf(worker.pid);
  const { pid, ms, cpuUs } = await noted(join(folder, 'result'), worker);
  const workerUs = pid === worker.pid ? 0 : (await cpuUsOf(worker.pid)) - before;
  worker.kill('SIGTERM');
  await ended;
  await channel.deleteQueue(queue);
  await rm(folder, { recursive: true });
  const measured = count - warmUp;
  return { perSecond: measured / (ms / 1000), cpuUs: (cpuUs + workerUs) / measured };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
console.log(
  '| batch | messages/s, one process | own process | ratio | CPU us, one process | own process | ratio |',
);
console.log('|---|---|---|---|---|---|---|');
for (const batchSize of batchSizes) {
  const results = { 0: [], 1: [] };
  for (let round = 0; round < rounds; round += 1) {
    // In turns, so that whatever else the machine does strikes both.
    for (const processes of round % 2 === 0 ? [0, 1] : [1, 0])
      results[processes].push(await measure(batchSize, processes));
    log(`batch of ${batchSize}: round ${round + 1} of ${rounds}`);
  }
  const of = (key) => [0, 1].map((processes) => median(results[processes].map((each) => each[key])));
  const [together, own] = of('perSecond');
  const [togetherUs, ownUs] = of('cpuUs');
  const cells = [batchSize, Math.round(together), Math.round(own), (own / together).toFixed(2)];
  cells.push(togetherUs.toFixed(0), ownUs.toFixed(0), (ownUs / togetherUs).toFixed(2));
  console.log(`| ${cells.join(' | ')} |`);
}
await connection.close();
await stop();
