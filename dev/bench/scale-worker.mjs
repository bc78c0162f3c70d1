// A worker in a process of its own for scale-workers.mjs: begins at a message of its parent, and reports what it did at another one.
import { order, startWorker, warren } from './shared.mjs';

const { url, queues, batchSize } = JSON.parse(process.argv[2]);
let seen = 0;
let first = 0;
let last = 0;
let cpu;
let stop;

process.on('message', async (message) => {
  if (message === 'begin') {
    cpu = process.cpuUsage();
    stop = await startWorker({ url, queues, batchSize }, ({ onMessages, publisher }) =>
      onMessages({ schema: order, publisher }, async () => {
        last = Date.now();
        first ||= last;
        seen += 1;
      }),
    );
    return;
  }
  if (message === 'count') {
    process.send(seen);
    return;
  }
  const { user, system } = process.cpuUsage(cpu);
  process.send({ seen, first, last, cpuUs: user + system, megabytes: process.memoryUsage.rss() / 1024 ** 2 });
  await stop();
  process.disconnect();
});
// Without its package, it would compile while others work already.
await warren();
process.send('ready');
