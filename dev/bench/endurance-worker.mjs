// A process that works for a long time: functions on queues, a publisher and a client for RPC. Its parent asks over IPC for one round
// of everything, for calls until a number of messages is done, or for its memory after a garbage collection.
import { setTimeout as pause } from 'node:timers/promises';
import { order, warren } from './shared.mjs';

const { url, queue, method, sources, count } = JSON.parse(process.argv[2]);
const { EventSource, Publisher, RpcClient, inProcess, silentLog, onMessages, onCalls } = await warren();

const publisher = new Publisher({ url, name: 'endurance' });
const client = new RpcClient({ url, name: 'endurance' });
let seen = 0;
const work = onMessages({ schema: order, publisher, log: silentLog }, async () => {
  seen += 1;
});
const answer = onCalls({ publisher, log: silentLog }, async () => 'pong');
const mapping = { functionName: 'work', vhost: '/', arn: 'arn:bench', batchSize: 1, windowMs: 0 };
const all = Array.from(
  { length: sources },
  (_, n) =>
    new EventSource({
      url,
      mappings: [
        { ...mapping, queue: `${queue}-${n}`, concurrency: 10 },
        { ...mapping, queue: `${method}-${n}`, functionName: 'answer', kind: 'rpc' },
      ],
      invoke: ({ functionName }) =>
        inProcess({
          functionName,
          load: async () => (functionName === 'work' ? work : answer),
          timeoutMs: 15_000,
        }),
      log: silentLog,
    }),
);
await Promise.all(all.map((source) => source.start()));

/** Everything once, in each source: a message published with a confirm and worked on, and a call answered. Again until it works. */
async function round(n) {
  await Promise.all(
    all.map(async (_, source) => {
      const body = { order_id: n, city: 'Munich', items: [], at: '2026-11-30T12:00:00.000Z' };
      await again(() => publisher.publish({ exchange: '', routingKey: `${queue}-${source}`, body }));
      await again(() => client.call(`${method}-${source}`, {}, { timeoutMs: 1000 }));
    }),
  );
}

/** A round meets connections that were just cut. */
async function again(work) {
  for (const until = performance.now() + 60_000; ; ) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > until) throw error;
      await pause(5);
    }
  }
}

async function calls(target) {
  while (seen < target) await pause(50);
}

async function memory() {
  // What a round has left behind may need more than one.
  for (let n = 0; n < 5; n += 1) {
    await pause(50);
    globalThis.gc();
  }
  const { heapUsed, rss, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo().length;
  return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20, external: external / 2 ** 20, resources, seen };
}

process.on('message', async ({ ask, n }) => {
  if (ask === 'end') {
    await Promise.all(all.map((source) => source.stop()));
    await Promise.all([publisher.close(), client.close()]);
    process.exit(0);
  }
  const does = { round, calls, memory };
  process.send({ ask, result: await does[ask](n ?? count) });
});
// Nothing asks any more.
process.on('disconnect', () => process.exit(1));
process.send({ ask: 'start' });
