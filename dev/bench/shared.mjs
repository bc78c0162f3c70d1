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

export const decode = (content) => order.parse(JSON.parse(content.toString()));

/** Warren as its package has it, compiled by `npm run build`. */
export async function warren() {
  const modules = ['functions', 'hosts'];
  const loaded = await Promise.all(modules.map((name) => import(`../../dist/package/${name}.js`)));
  return Object.assign({}, ...loaded);
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

/** Times what comes after the warm-up. */
export function meter(count, warmUp) {
  let seen = 0;
  let startedAt = 0;
  let finish;
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  return {
    finished,
    one() {
      seen += 1;
      if (seen === warmUp) startedAt = performance.now();
      if (seen === count) finish((performance.now() - startedAt) / 1000);
    },
  };
}
