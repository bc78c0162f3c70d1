// A worker in a process of its own: works on what is in its queues until it has seen `count` messages or gets SIGTERM, and
// prints the time and memory.
import { order, startWorker } from './shared.mjs';

const { url, queues, count, batchSize } = JSON.parse(process.argv[2]);
const megabytes = () => process.memoryUsage.rss() / 1024 / 1024;
let seen = 0;
let most = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
process.once('SIGTERM', () => finish());

const sample = setInterval(() => {
  most = Math.max(most, megabytes());
}, 100);
const startedAt = performance.now();
const stop = await startWorker({ url, queues, batchSize }, ({ onMessages, publisher }) =>
  onMessages({ schema: order, publisher }, async () => {
    seen += 1;
    if (seen === count) finish();
  }),
);
await finished;
const seconds = (performance.now() - startedAt) / 1000;
clearInterval(sample);
await stop();
console.log(JSON.stringify({ seconds, seen, megabytes: Math.max(most, megabytes()) }));
process.exit(0);
