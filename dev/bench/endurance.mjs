#!/usr/bin/env node
// `npm run bench:endurance [-- --quick] [-- --reconnects N --calls N]`: whether the memory of a process grows with the connections that it loses, and with the calls that
// it makes. It fails if the heap of the last quarter is more than 5 % above that of the second.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { register } from 'tsx/esm/api';
import { openProxy } from './cut-proxy.mjs';
import { plotLines } from './plot-lines.mjs';
import { buildWarren, here, log, startBroker } from './setup.mjs';
import { body, fullProperties } from './shared.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const { values: given } = parseArgs({
  options: { quick: { type: 'boolean' }, reconnects: { type: 'string' }, calls: { type: 'string' } },
});
const { quick = false } = given;
const reconnects = Number(given.reconnects ?? (quick ? 400 : 10_000));
const calls = Number(given.calls ?? (quick ? 200_000 : 10_000_000));
const samples = quick ? 8 : 20;
/** Event sources in the process: each has connections of its own, so that one cut ends several. */
const sources = 4;
const growthLimit = 1.05;

buildWarren();
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');

const broker = await startBroker();
const proxy = await openProxy(new URL(broker.url));
const connection = await amqplib.connect(broker.url, { noDelay: true });
const channel = await connection.createConfirmChannel();
const [queue, method] = [`endurance-${Date.now()}`, `endurance-call-${Date.now()}`];
let failed = false;
try {
  await channel.assertExchange('rpc', 'direct', { durable: true });
  for (let n = 0; n < sources; n += 1) {
    const settings = { durable: true, arguments: queueArguments('quorum', queue) };
    await channel.assertQueue(`${queue}-${n}`, settings);
    await channel.assertQueue(`${method}-${n}`, { durable: false });
    await channel.bindQueue(`${method}-${n}`, 'rpc', `${method}-${n}`);
  }
  const results = { reconnects: await loseConnections(), calls: await makeCalls() };
  await report(results);
} finally {
  await connection.close();
  await proxy.close();
  await broker.stop();
}
process.exitCode = failed ? 1 : 0;

/** Cuts all connections again and again; after each cut everything has to work. */
async function loseConnections() {
  const worker = await startWorker();
  await worker.ask('round', 0);
  const before = proxy.accepted;
  const rows = [];
  let cuts = 0;
  for (let sample = 1; sample <= samples; sample += 1) {
    while (proxy.accepted - before < (reconnects * sample) / samples) {
      proxy.cut();
      cuts += 1;
      await worker.ask('round', cuts);
    }
    rows.push({ count: proxy.accepted - before, cuts, ...(await worker.ask('memory')) });
    log(`${rows.at(-1).count} connections after ${cuts} cuts: ${rows.at(-1).heap.toFixed(1)} MiB of heap`);
  }
  await worker.end();
  return rows;
}

/** Lets it call its function for each message, in batches of one. */
async function makeCalls() {
  const worker = await startWorker();
  const rows = [];
  let published = 0;
  const publish = async (target) => {
    while (published < target) {
      const content = Buffer.from(JSON.stringify(body(published)));
      channel.sendToQueue(`${queue}-${published % sources}`, content, fullProperties(published));
      published += 1;
      if (published % 1000 === 0) await channel.waitForConfirms();
    }
    await channel.waitForConfirms();
  };
  for (let sample = 1; sample <= samples; sample += 1) {
    const target = Math.round((calls * sample) / samples);
    await Promise.all([publish(target), worker.ask('calls', target)]);
    rows.push({ count: target, ...(await worker.ask('memory')) });
    log(`${target} calls: ${rows.at(-1).heap.toFixed(1)} MiB of heap`);
  }
  await worker.end();
  return rows;
}

async function startWorker() {
  const task = JSON.stringify({ url: proxy.url, queue, method, sources });
  const child = fork(`${here}endurance-worker.mjs`, [task], { execArgv: ['--expose-gc'] });
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`the worker ended with ${code}`);
  });
  const answered = async () => {
    const [{ result }] = await Promise.race([
      once(child, 'message'),
      ended.then(() => {
        throw new Error('the worker has ended');
      }),
    ]);
    return result;
  };
  await answered();
  return {
    ask(ask, n) {
      child.send({ ask, n });
      return answered();
    },
    end() {
      child.send({ ask: 'end' });
      return ended;
    },
  };
}

async function report(results) {
  for (const [what, rows] of Object.entries(results)) {
    console.log(`\nMemory after ${what}`);
    for (const { count, heap, rss, resources } of rows) {
      console.log(
        `  ${count.toLocaleString('en').padStart(10)}  heap ${heap.toFixed(1)} MiB, resident ${Math.round(rss)} MiB, ${resources} resources`,
      );
    }
    // The first quarter warms up.
    const quarter = Math.floor(rows.length / 4);
    const mean = (from) =>
      rows.slice(from, from + quarter).reduce((sum, { heap }) => sum + heap / quarter, 0);
    const growth = mean(rows.length - quarter) / mean(quarter);
    failed ||= growth > growthLimit;
    console.log(
      `  The heap of the last quarter is ${growth.toFixed(3)} of that of the second (at most ${growthLimit})`,
    );
  }
  const folder = `${here}results`;
  await mkdir(folder, { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const numbers = { date, node: process.version, quick, ...results };
  await writeFile(join(folder, `endurance-${date}.json`), `${JSON.stringify(numbers, null, 2)}\n`);
  const plots = Object.entries(results).map(([what, rows]) => ({
    title: `MiB of heap by ${what}`,
    x: 'count',
    y: 'heap',
    // The plot has a logarithmic axis.
    rows: rows.filter((_, index) => Number.isInteger(Math.log2(index + 1))),
    flat: true,
  }));
  await writeFile(join(folder, 'endurance.svg'), plotLines(plots));
  console.log(`\nNumbers: dev/bench/results/endurance-${date}.json, plots: dev/bench/results/endurance.svg`);
}
