import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** What every contestant checks each message with. */
export const order = z.object({
  order_id: z.number(),
  city: z.string(),
  items: z.array(z.string()),
  at: z.string(),
});

/** About 120 bytes of JSON. */
export const body = (n) => ({
  order_id: 1_000_000 + n,
  city: 'Munich',
  items: ['one', 'two', 'three'],
  at: '2026-11-23T12:00:00.000Z',
  note: 'x'.repeat(10),
});

/** The properties that a message of Warren's publisher has with a trace, and one header of its own. */
export const fullProperties = (n) => ({
  persistent: true,
  contentType: 'application/json',
  type: 'order',
  messageId: `0b7e1c1e-5b0e-4f3e-9d7a-${String(n).padStart(12, '0')}`,
  timestamp: 1_764_390_000 + Math.floor(n / 1000),
  headers: {
    'x-routing-key': 'order.placed',
    tenant: 'munich',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  },
});

/** As few properties as a consumer of JSON can do with. */
export const emptyProperties = () => ({ persistent: true, contentType: 'application/json', type: 'order' });

export const decode = (content) => order.parse(JSON.parse(content.toString()));

/** Folder of the package that is measured. */
let folder = fileURLToPath(new URL('../../dist/package', import.meta.url));

/** Measures the package in another folder. */
export function usePackage(path) {
  folder = path;
}

/** Warren as its package has it, compiled by `npm run build`. */
export async function warren() {
  const modules = ['functions', 'hosts', 'effects', 'claims'];
  const loaded = await Promise.all(modules.map((name) => import(`${folder}/${name}.js`)));
  return Object.assign({}, ...loaded);
}

/** Warren's way of reading deliveries, for a connection of amqplib that has no channels yet. */
export async function readingInOnePass() {
  const { readInOnePass } = await import(`${folder}/amqp/one-pass/read-in-one-pass.js`);
  return readInOnePass;
}

/** Feeds the handler that `makeHandler` makes from queues, as `warren worker` does; resolves with how to end that. */
export async function startWorker({ url, queues, ...mapping }, makeHandler) {
  const { EventSource, Publisher, inProcess, silentLog, ...wrappers } = await warren();
  const publisher = new Publisher({ url, name: 'bench' });
  const handler = makeHandler({ ...wrappers, publisher });
  const invoke = () => inProcess({ functionName: 'bench', load: async () => handler, timeoutMs: 15_000 });
  const mappings = queues.map((queue) => ({
    functionName: 'bench',
    queue,
    vhost: '/',
    arn: 'arn:bench',
    windowMs: 500,
    ...mapping,
  }));
  const source = new EventSource({ url, mappings, invoke, log: silentLog });
  await source.start();
  return async () => {
    await source.stop();
    await publisher.close();
  };
}

/** Starts to measure time and the CPU time of this process; the result ends it. */
export function stopwatch() {
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      perSecond: (count / (performance.now() - startedAt)) * 1000,
      cpuMicroseconds: (user + system) / count,
    };
  };
}

/** Measures what comes after the warm-up. */
export function meter(count, warmUp) {
  let seen = 0;
  let stop;
  let finish;
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  return {
    finished,
    one() {
      seen += 1;
      if (seen === warmUp) stop = stopwatch();
      if (seen === count) finish(stop(count - warmUp));
    },
  };
}
