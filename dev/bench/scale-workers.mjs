// Measures 1 to 16 workers' processes on one broker, with one queue for all and with a queue each: messages a second together, the
// CPU time that a message takes in the workers and in the broker, and how evenly the workers share. Writes them to
// results/scale-workers-<date>.json, from which `npm run bench:scale` makes its table: `npm run bench:scale-workers [rounds] [messages]`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { register } from 'tsx/esm/api';
import { machine } from './machine.mjs';
import { buildWarren, here, log, startBroker } from './setup.mjs';
import { body, fullProperties } from './shared.mjs';
import { median, shuffled } from './statistics.mjs';

const [rounds, count] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 48_000)];
const batchSize = 100;
/** Linux counts CPU time in hundredths of a second. */
const tickUs = 10_000;

buildWarren();
register();
const { default: amqplib } = await import('amqplib');
const { queueArguments } = await import('./queues.mjs');
const { url, managementUrl, stop } = await startBroker();
const connection = await amqplib.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
const brokerPid = await findBroker();

/** The process of the broker, as its management API has it some seconds after the start. */
async function findBroker() {
  const { username, password, origin } = new URL(managementUrl);
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    'base64',
  );
  for (;;) {
    const answer = await fetch(`${origin}/api/nodes`, { headers: { authorization: `Basic ${login}` } });
    const [node] = await answer.json();
    if (node?.os_pid) return Number(node.os_pid);
    await pause(500);
  }
}

function brokerUs() {
  const text = readFileSync(`/proc/${brokerPid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickUs;
}

async function fill(queues) {
  for (const queue of queues) {
    await channel.assertQueue(queue, { durable: true, arguments: queueArguments('quorum', queue) });
  }
  const before = brokerUs();
  for (let n = 0; n < count; n += 1) {
    const content = Buffer.from(JSON.stringify(body(n)));
    channel.sendToQueue(queues[n % queues.length], content, fullProperties(n));
    if (n % 500 === 499) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  return (brokerUs() - before) / count;
}

async function measure(workers, isShared) {
  const names = Array.from({ length: isShared ? 1 : workers }, (_, n) => `scale-${Date.now()}-${n}`);
  const publishUs = await fill(names);
  const children = Array.from({ length: workers }, (_, n) =>
    fork(`${here}scale-worker.mjs`, [JSON.stringify({ url, batchSize, queues: [names[n % names.length]] })]),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  const before = brokerUs();
  for (const child of children) child.send('begin');
  const ask = async (child, message) => {
    const answer = once(child, 'message');
    child.send(message);
    return (await answer)[0];
  };
  const sum = (values) => values.reduce((total, each) => total + each, 0);
  while (sum(await Promise.all(children.map((child) => ask(child, 'count')))) < count) await pause(50);
  // The last acknowledgements go within a moment.
  await pause(500);
  const consumeUs = (brokerUs() - before) / count;
  const reports = await Promise.all(
    children.map(async (child) => {
      const ended = once(child, 'exit');
      const report = await ask(child, 'report');
      await ended;
      return report;
    }),
  );
  for (const name of names) await channel.deleteQueue(name);
  const seen = reports.map((each) => each.seen);
  if (sum(seen) !== count) throw new Error(`expected ${count} messages, got ${sum(seen)}`);
  const first = Math.min(...reports.filter((each) => each.seen > 0).map((each) => each.first));
  const last = Math.max(...reports.map((each) => each.last));
  return {
    perSecond: (count / (last - first)) * 1000,
    workerUs: sum(reports.map((each) => each.cpuUs)) / count,
    publishUs,
    consumeUs,
    leastShare: (Math.min(...seen) * workers) / count,
    mostShare: (Math.max(...seen) * workers) / count,
    megabytes: Math.max(...reports.map((each) => each.megabytes)),
  };
}

const cases = [true, false].flatMap((isShared) =>
  [1, 2, 4, 8, 16].map((workers) => ({ workers, isShared, results: [] })),
);
const loads = [];
try {
  for (let round = 1; round <= rounds; round += 1) {
    for (const each of shuffled(cases)) {
      log(
        `round ${round} of ${rounds}: ${each.workers} workers, ${each.isShared ? 'one queue' : 'a queue each'}`,
      );
      loads.push(loadavg()[0]);
      each.results.push(await measure(each.workers, each.isShared));
    }
  }
} finally {
  await connection.close();
  await stop();
}
const rows = cases.map(({ workers, isShared, results }) => {
  const of = (key) => median(results.map((each) => each[key]));
  const keys = ['perSecond', 'workerUs', 'publishUs', 'consumeUs', 'leastShare', 'mostShare', 'megabytes'];
  const rounded = keys.map((key) => [key, Number(of(key).toPrecision(3))]);
  return { workers, queues: isShared ? 'one' : 'each', ...Object.fromEntries(rounded) };
});
const date = new Date().toISOString().slice(0, 10);
const load = { least: Math.min(...loads), median: median(loads), most: Math.max(...loads) };
const report = { date, ...machine(), rounds, messages: count, batchSize, load, rows };
writeFileSync(`${here}results/scale-workers-${date}.json`, `${JSON.stringify(report, null, 2)}\n`);
console.table(rows);
console.log(load);
