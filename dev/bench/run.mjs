#!/usr/bin/env node
// `npm run bench`: compares Warren with other ways to consume, call and publish, on one broker, in alternation, in one run.
// `--quick` takes about three minutes, and only prints what it measured.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { register } from 'tsx/esm/api';
import { baseline, cases, quickCases, warmUpOf } from './cases.mjs';
import { buildOthers, consumeWithOther, timesOf } from './others.mjs';
import { report } from './report.mjs';
import { buildWarren, here, installContestants, log, useBroker } from './setup.mjs';
import { body, emptyProperties, fullProperties } from './shared.mjs';
import { median, shuffled } from './statistics.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 5;
// A worker runs for days, so the warm-up does not count.
const measured = quick ? 20_000 : 40_000;

if (!quick) installContestants();
const others = quick ? [] : buildOthers();
buildWarren();
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');

const { url, stop } = await useBroker();
const connection = await amqplib.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
try {
  const results = [];
  for (const each of quick ? quickCases : cases)
    results.push({ title: each.title, rows: await measure(each) });
  if (!quick) results.push({ title: 'From publish to call, idle, batch 1', rows: await latencies() });
  await report(results, { rounds, messages: measured, quick });
} finally {
  await connection.close();
  await stop();
}

async function measure(settings) {
  const { title } = settings;
  const names = [...settings.names, ...(settings.others ? others : [])];
  const numbers = Object.fromEntries([...names, 'again'].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled([...names, 'again'])) {
      log(`${title}: round ${round + 1} of ${rounds}, ${name}`);
      numbers[name].push(await turn({ ...settings, name: name === 'again' ? names[0] : name }));
    }
  }
  const all = (name, what) => numbers[name].map((each) => each[what]);
  const against = (name, what) =>
    all(name, what).map((value, round) => value / numbers[names[0]][round][what]);
  const summary = (name, what) => ({
    median: median(all(name, what)),
    ratio: median(against(name, what)),
    least: Math.min(...against(name, what)),
    most: Math.max(...against(name, what)),
    raw: all(name, what).map((value) => Math.round(value * 10) / 10),
    baseline: all(names[0], what).map((value) => Math.round(value * 10) / 10),
  });
  return [...names.slice(1), 'again'].map((name) => ({
    name: name === 'again' ? `${names[0]}, again (the noise)` : name,
    against: names[0],
    perSecond: summary(name, 'perSecond'),
    // PerfTest does not measure it.
    ...(numbers[name][0].cpuMicroseconds && { cpuMicroseconds: summary(name, 'cpuMicroseconds') }),
  }));
}

async function turn({ what, kind, name, atATime, full }) {
  const queue = `bench-${what}-${Date.now()}`;
  const args = queueArguments(what === 'rpc' ? 'classic' : kind, queue);
  await channel.assertQueue(queue, { durable: true, arguments: args });
  try {
    const times = timesOf(name);
    const warmUp = warmUpOf(name);
    const count = warmUp + measured;
    if (what === 'consume') await fill(queue, count * times, full ? fullProperties : emptyProperties);
    if (what === 'rpc') {
      await channel.assertExchange('rpc', 'direct', { durable: true });
      await channel.bindQueue(queue, 'rpc', queue);
    }
    // Sequential calls are slow, so fewer of them are measured.
    const less = what !== 'rpc' ? 1 : atATime === 1 ? 10 : 2;
    const task = { what, name, url, queue, method: queue, atATime, arguments: args };
    const own = { ...task, count: (count * times) / less, warmUp: what === 'rpc' ? warmUp / 2 : warmUp };
    return await (consumeWithOther(name) ?? contestant)(own);
  } finally {
    await channel.deleteQueue(queue);
  }
}

async function latencies() {
  const names = [baseline, 'Warren, batch 1'];
  const medians = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled(names)) {
      log(`Latency: round ${round + 1} of ${rounds}, ${name}`);
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

async function fill(queue, messages, properties) {
  // More messages than counted, so that no consumer waits for its last batch to fill.
  for (let n = 0; n < messages + 1000; n += 1) {
    // Nest reads its pattern from the body; the other consumers ignore it.
    channel.sendToQueue(
      queue,
      Buffer.from(JSON.stringify({ pattern: 'order', data: body(n), ...body(n) })),
      properties(n),
    );
    if (n % 1000 === 999) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}
