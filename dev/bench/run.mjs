#!/usr/bin/env node
// `npm run bench`: Warren beside other ways to consume, call and publish; on one broker, taking turns, in one run.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { register } from 'tsx/esm/api';
import { plot } from './plot.mjs';
import { body } from './shared.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const quick = process.argv.includes('--quick');
const rounds = quick ? 2 : 5;
// The first messages run uncompiled: a worker runs for days, and a count in seconds would measure the compiler.
const count = quick ? 20_000 : 60_000;
const warmUp = quick ? 8000 : 20_000;
const here = fileURLToPath(new URL('.', import.meta.url));
const tell = (text) => console.error(text);

if (!existsSync(`${here}node_modules`)) {
  tell('Installing what Warren is measured against (npm ci in bench/).');
  execFileSync('npm', ['ci', '--legacy-peer-deps', '--no-audit', '--no-fund'], {
    cwd: here,
    stdio: 'inherit',
  });
}
tell('Compiling Warren (npm run build).');
execFileSync('npm', ['run', '--silent', 'build'], {
  cwd: join(here, '../..'),
  stdio: ['ignore', 2, 'inherit'],
});
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');

const baseline = 'amqplib, one by one';
const everyone = [
  ...[baseline, 'amqplib, 100 at once', 'Warren, batch 1', 'Warren, batch 10', 'Warren, batch 100'],
  ...['rabbitmq-client', 'amqp-connection-manager', 'rascal', '@nestjs/microservices'],
];
/** Clients against the same plain server, then a client with its own server. */
const callers = [
  ...['amqplib, one reply queue', "Warren's client", 'rabbitmq-client'],
  ...["Warren's client and function", "rabbitmq-client's both"],
];
/** Each is measured against the first of its names, which also runs twice a round: that is the noise. */
const cases = [
  { title: 'Consuming from a quorum queue', what: 'consume', kind: 'quorum', names: everyone },
  { title: 'Consuming from a classic queue', what: 'consume', kind: 'classic', names: everyone.slice(0, 5) },
  {
    title: 'RPC, one after the other',
    what: 'rpc',
    atATime: 1,
    names: callers,
  },
  {
    title: 'RPC, 50 at a time',
    what: 'rpc',
    atATime: 50,
    names: callers,
  },
  {
    ...{ title: 'Publishing with confirms, 500 outstanding', what: 'publish', kind: 'quorum', atATime: 500 },
    names: ['amqplib, confirm channel', 'Warren', 'rabbitmq-client', 'amqp-connection-manager'],
  },
];

const { url, stop } = await useBroker();
const connection = await amqplib.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
try {
  const results = [];
  for (const each of cases) results.push({ title: each.title, rows: await measure(each) });
  results.push({ title: 'From publish to call, idle, batch 1', rows: await latencies() });
  await report(results);
} finally {
  await connection.close();
  await stop();
}

/** The user's broker, or one of our own for this run. */
async function useBroker() {
  const given = process.env.AMQP_URL;
  if (given) return { url: given, stop: async () => undefined };
  const { startStack } = await import('../stack/stack.ts');
  const dataDir = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  tell('Starting a RabbitMQ for this run.');
  const stack = await startStack({
    dataDir,
    ports: 'free',
    functions: false,
    given: {},
    report: () => undefined,
  });
  return {
    url: stack.env.AMQP_URL,
    async stop() {
      await stack.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function measure(settings) {
  const { title, names } = settings;
  const numbers = Object.fromEntries([...names, 'again'].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled([...names, 'again'])) {
      tell(`${title}: round ${round + 1} of ${rounds}, ${name}`);
      numbers[name].push(await turn({ ...settings, name: name === 'again' ? names[0] : name }));
    }
  }
  const ratios = (name) => numbers[name].map((value, round) => value / numbers[names[0]][round]);
  return [...names.slice(1), 'again'].map((name) => ({
    name: name === 'again' ? `${names[0]}, again (the noise)` : name,
    against: names[0],
    perSecond: Math.round(median(numbers[name])),
    ratio: median(ratios(name)),
    least: Math.min(...ratios(name)),
    most: Math.max(...ratios(name)),
    raw: numbers[name].map(Math.round),
    baseline: numbers[names[0]].map(Math.round),
  }));
}

async function turn({ what, kind, name, atATime }) {
  const queue = `bench-${what}-${Date.now()}`;
  const args = queueArguments(what === 'rpc' ? 'classic' : kind, queue);
  await channel.assertQueue(queue, { durable: true, arguments: args });
  try {
    if (what === 'consume') await fill(queue);
    if (what === 'rpc') {
      await channel.assertExchange('rpc', 'direct', { durable: true });
      await channel.bindQueue(queue, 'rpc', queue);
    }
    // One call after the other takes its time.
    const less = what !== 'rpc' ? 1 : atATime === 1 ? 10 : 2;
    const task = { what, name, url, queue, method: queue, atATime, arguments: args };
    return (await contestant({ ...task, count: count / less, warmUp: warmUp / less })).perSecond;
  } finally {
    await channel.deleteQueue(queue);
  }
}

async function latencies() {
  const names = [baseline, 'Warren, batch 1'];
  const medians = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled(names)) {
      tell(`Latency: round ${round + 1} of ${rounds}, ${name}`);
      const queue = `bench-latency-${Date.now()}`;
      const args = queueArguments('quorum', queue);
      await channel.assertQueue(queue, { durable: true, arguments: args });
      const task = { what: 'latency', name, url, queue, arguments: args, count: 200, warmUp: 50 };
      medians[name].push((await contestant(task)).medianMs);
      await channel.deleteQueue(queue);
    }
  }
  return names.map((name) => ({ name, ms: median(medians[name]), raw: medians[name] }));
}

async function contestant(task) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`${here}contestant.mjs`, JSON.stringify(task)],
    {
      timeout: 120_000,
    },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function fill(queue) {
  // More than are counted: nobody is to wait for a last batch to fill.
  for (let n = 0; n < count + 1000; n += 1) {
    const options = { persistent: true, contentType: 'application/json', type: 'order' };
    // Nest reads its pattern from the body, and everyone else reads past it.
    channel.sendToQueue(
      queue,
      Buffer.from(JSON.stringify({ pattern: 'order', data: body(n), ...body(n) })),
      options,
    );
    if (n % 1000 === 999) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

async function report(results) {
  const lines = [];
  for (const { title, rows } of results) {
    lines.push('', title);
    for (const row of rows) {
      if (row.ms !== undefined) lines.push(`  ${row.name.padEnd(44)} ${row.ms.toFixed(2)} ms (median)`);
      else {
        const range = `${row.least.toFixed(2)} to ${row.most.toFixed(2)}`;
        lines.push(
          `  ${row.name.padEnd(44)} ${row.ratio.toFixed(2)} times  (${range}; ${row.perSecond} a second)`,
        );
      }
    }
  }
  console.log(lines.join('\n'));
  console.log(
    '\nTimes: of the first in each group, amqplib used directly. "again" is that one against itself.',
  );
  const folder = `${here}results`;
  await mkdir(folder, { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const machine = { cores: cpus().length, node: process.version, rounds, messages: count };
  await writeFile(join(folder, `${date}.json`), `${JSON.stringify({ date, machine, results }, null, 2)}\n`);
  await writeFile(join(folder, 'throughput.svg'), plot(results[0]));
  console.log(`Raw numbers: dev/bench/results/${date}.json, a plot: dev/bench/results/throughput.svg`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

function shuffled(list) {
  return list
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
