// A worker in a process of its own: works on what is in its queues until it has seen `count` messages or is told to end, and
// prints what that took.
import { order, warren } from './shared.mjs';

const { url, queues, count, batchSize } = JSON.parse(process.argv[2]);
const { EventSource, createPublisher, inProcessInvoke, onMessages, silentLog } = await warren();
const megabytes = () => process.memoryUsage.rss() / 1024 / 1024;
let seen = 0;
let most = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
process.once('SIGTERM', () => finish());

const publisher = createPublisher({ url, name: 'bench' });
const handler = onMessages({ schema: order, publisher }, async () => {
  seen += 1;
  if (seen === count) finish();
});
const mappings = queues.map((queue) => ({
  ...{ functionName: 'bench', queue, vhost: '/', arn: 'arn:bench', batchSize, windowMs: 500 },
}));
const load = async () => handler;
const invoke = () => inProcessInvoke({ functionName: 'bench', load, timeoutMs: 15_000 });
const sample = setInterval(() => {
  most = Math.max(most, megabytes());
}, 100);
const startedAt = performance.now();
const source = new EventSource({ url, mappings, invoke, log: silentLog });
await source.start();
await finished;
const seconds = (performance.now() - startedAt) / 1000;
clearInterval(sample);
await source.stop();
await publisher.close();
console.log(JSON.stringify({ seconds, seen, megabytes: Math.max(most, megabytes()) }));
process.exit(0);
