// Measures how time and memory of a worker grow with more waiting messages, more workers and more queues. Prints tables and
// writes numbers and plots to dev/bench/results. Run it by hand; `--quick` omits the largest measurement.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { register } from 'tsx/esm/api';
import { plotLines } from './plot-lines.mjs';
import { buildWarren, here, log, startBroker } from './setup.mjs';
import { body } from './shared.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const quick = process.argv.includes('--quick');

buildWarren();
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');

const { url, stop } = await startBroker();
const connection = await amqplib.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
try {
  const results = { waiting: await growWaiting(), workers: await growWorkers(), queues: await growQueues() };
  await report(results);
} finally {
  await connection.close();
  await stop();
}

async function growWaiting() {
  const rows = [];
  for (const count of [1000, 10_000, 100_000, ...(quick ? [] : [1_000_000])]) {
    log(`${count} waiting messages`);
    const [queue] = await fill(1, count);
    const { seconds, megabytes } = await worker({ queues: [queue], count });
    rows.push({ count, seconds, megabytes });
    await channel.deleteQueue(queue);
  }
  return rows;
}

async function growWorkers() {
  const rows = [];
  const count = quick ? 20_000 : 100_000;
  for (const workers of [1, 2, 4]) {
    log(`${count} messages, ${workers} workers`);
    const [queue] = await fill(1, count);
    const ends = [];
    const running = Array.from({ length: workers }, () => worker({ queues: [queue] }, ends));
    const startedAt = performance.now();
    while ((await channel.checkQueue(queue)).messageCount > 0) await pause(20);
    const seconds = (performance.now() - startedAt) / 1000;
    for (const end of ends) end();
    const shares = (await Promise.all(running)).map(({ seen }) => seen);
    rows.push({ workers, count, seconds, shares });
    await channel.deleteQueue(queue);
  }
  return rows;
}

async function growQueues() {
  const rows = [];
  const count = quick ? 10_000 : 40_000;
  for (const number of [1, 10, 50, 100, 200]) {
    log(`${count} messages in ${number} queues`);
    const queues = await fill(number, count);
    const { seconds, megabytes } = await worker({ queues, count });
    rows.push({ queues: number, count, seconds, megabytes });
    for (const queue of queues) await channel.deleteQueue(queue);
  }
  return rows;
}

/** Creates `number` queues and spreads `count` messages over them. */
async function fill(number, count) {
  const queues = Array.from({ length: number }, (_, n) => `growth-${Date.now()}-${n}`);
  for (const queue of queues) {
    await channel.assertQueue(queue, { durable: true, arguments: queueArguments('quorum', queue) });
  }
  for (let n = 0; n < count; n += 1) {
    const content = Buffer.from(JSON.stringify(body(n)));
    channel.sendToQueue(queues[n % number], content, { persistent: true, contentType: 'application/json' });
    if (n % 1000 === 999) await channel.waitForConfirms();
    if (n % 100_000 === 99_999) log(`  ${n + 1} published`);
  }
  await channel.waitForConfirms();
  return queues;
}

async function worker(task, ends = []) {
  const settings = JSON.stringify({ url, batchSize: 10, ...task });
  const running = promisify(execFile)(process.execPath, [`${here}growth-worker.mjs`, settings]);
  ends.push(() => running.child.kill('SIGTERM'));
  const { stdout } = await running;
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function report(results) {
  const { waiting, workers, queues } = results;
  const number = (value) => value.toLocaleString('en');
  const perSecond = ({ count, seconds }) => `${number(Math.round(count / seconds))} per second`;
  console.log('\nWaiting messages');
  for (const row of waiting) {
    console.log(
      `  ${number(row.count).padStart(9)}  ${row.seconds.toFixed(1)} s, ${perSecond(row)}, ${Math.round(row.megabytes)} MiB`,
    );
  }
  console.log('\nWorkers');
  for (const row of workers) {
    console.log(
      `  ${row.workers}  ${row.seconds.toFixed(1)} s, ${perSecond(row)}; shares ${row.shares.map(number).join(', ')}`,
    );
  }
  console.log('\nQueues in one worker');
  for (const row of queues) {
    console.log(
      `  ${String(row.queues).padStart(3)}  ${row.seconds.toFixed(1)} s, ${perSecond(row)}, ${Math.round(row.megabytes)} MiB`,
    );
  }
  const folder = `${here}results`;
  await mkdir(folder, { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  await writeFile(
    join(folder, `growth-${date}.json`),
    `${JSON.stringify({ date, node: process.version, ...results }, null, 2)}\n`,
  );
  await writeFile(
    join(folder, 'growth.svg'),
    plotLines([
      { title: 'Seconds by waiting messages', x: 'count', y: 'seconds', rows: waiting },
      { title: 'MiB by waiting messages', x: 'count', y: 'megabytes', rows: waiting, flat: true },
      { title: 'Seconds by workers', x: 'workers', y: 'seconds', rows: workers, flat: true },
      { title: 'MiB by queues in one worker', x: 'queues', y: 'megabytes', rows: queues, flat: true },
    ]),
  );
  console.log(`\nNumbers: dev/bench/results/growth-${date}.json, plots: dev/bench/results/growth.svg`);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
