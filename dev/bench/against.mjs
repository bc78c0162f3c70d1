#!/usr/bin/env node
// `node dev/bench/against.mjs <folder>... [case]...`: compares the compiled package of this tree with others, such as that of
// another commit, in turns, on one broker. A folder contains a slash and must find the same node_modules, as `dist/before` does.
// Cases: 1, 10, 100 (size of a batch, full messages, quorum queue), client, both (calls, 50 at a time), client-1, both-1 (one at
// a time), publish (with confirms, 500 outstanding). Each case has rabbitmq-client beside it. Environment: ROUNDS (5), BUILT=1
// (dist/package is up to date), AMQP_URL.
import { execFile } from 'node:child_process';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';
import { register } from 'tsx/esm/api';
import { baseline, warmUpOf } from './cases.mjs';
import { buildWarren, here, installContestants, log, useBroker } from './setup.mjs';
import { body, fullProperties } from './shared.mjs';
import { median, quartiles, shuffled } from './statistics.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const rounds = Number(process.env.ROUNDS ?? 5);
const measured = 40_000;

const consuming = (name) => ({
  what: 'consume',
  warmUp: warmUpOf(name),
  name,
  limit: baseline,
  rival: 'rabbitmq-client',
});
const calls = (name, atATime, rival = "rabbitmq-client's both") => ({
  what: 'rpc',
  name,
  limit: 'amqplib, one reply queue',
  rival,
  atATime,
});
const cases = {
  1: consuming('Warren, batch 1'),
  10: consuming('Warren, batch 10'),
  100: consuming('Warren, batch 100'),
  client: calls("Warren's client", 50, 'rabbitmq-client'),
  both: calls("Warren's client and function", 50),
  'client-1': calls("Warren's client", 1, 'rabbitmq-client'),
  'both-1': calls("Warren's client and function", 1),
  publish: {
    what: 'publish',
    name: 'Warren',
    limit: 'amqplib, confirm channel',
    rival: 'rabbitmq-client',
    atATime: 500,
  },
};

const folders = process.argv.slice(2).filter((each) => each.includes('/'));
const wanted = process.argv.slice(2).filter((each) => !each.includes('/'));
if (folders.length === 0 || wanted.some((each) => !(each in cases))) {
  log(`usage: node dev/bench/against.mjs <folder>... [${Object.keys(cases).join('|')}]...`);
  process.exit(2);
}
installContestants();
if (!process.env.BUILT) buildWarren();
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');
const { url, stop } = await useBroker();
const connection = await amqplib.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
try {
  for (const name of wanted.length > 0 ? wanted : ['1', '10', '100']) await compare(name, cases[name]);
} finally {
  await connection.close();
  await stop();
}

async function compare(title, { limit, rival, ...settings }) {
  const others = folders.map((folder) => [basename(folder), { ...settings, package: resolve(folder) }]);
  const sides = {
    limit: { ...settings, name: limit },
    rabbitmq: { ...settings, name: rival },
    ...Object.fromEntries(others),
    now: settings,
  };
  const results = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const side of shuffled(Object.keys(sides))) results[side].push(await turn(sides[side]));
    log(`${title}: round ${round + 1} of ${rounds}`);
  }
  console.log(`\n${title}: median (quartiles) of ${rounds} rounds`);
  for (const what of ['cpuMicroseconds', 'perSecond']) {
    const values = (side) => results[side].map((each) => each[what]);
    const against = (side, other) => {
      const ratios = values(side).map((value, round) => value / values(other)[round]);
      const [low, high] = quartiles(ratios);
      return `${median(ratios).toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)}) of ${other}`;
    };
    for (const side of Object.keys(sides)) {
      const ratios = [against(side, 'limit'), against(side, basename(folders[0]))].join(', ');
      console.log(`  ${what} ${side.padEnd(10)} ${median(values(side)).toFixed(1).padStart(8)}: ${ratios}`);
    }
  }
}

async function turn({ what, ...settings }) {
  const queue = `bench-${what}-${Date.now()}`;
  const args = queueArguments(what === 'rpc' ? 'classic' : 'quorum', queue);
  await channel.assertQueue(queue, { durable: true, arguments: args });
  try {
    if (what === 'consume') await fill(queue, settings.warmUp + measured + 1000);
    else if (what === 'rpc') {
      await channel.assertExchange('rpc', 'direct', { durable: true });
      await channel.bindQueue(queue, 'rpc', queue);
    }
    const times =
      what === 'consume'
        ? { count: settings.warmUp + measured }
        : { count: settings.atATime === 1 ? measured / 8 : measured, warmUp: warmUpOf(settings.name) };
    const task = { what, url, queue, method: queue, arguments: args, ...settings, ...times };
    const contestant = [`${here}contestant.mjs`, JSON.stringify(task)];
    const { stdout } = await promisify(execFile)(process.execPath, contestant, { timeout: 120_000 });
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } finally {
    await channel.deleteQueue(queue);
  }
}

async function fill(queue, messages) {
  for (let n = 0; n < messages; n += 1) {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(body(n))), fullProperties(n));
    if (n % 1000 === 999) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}
