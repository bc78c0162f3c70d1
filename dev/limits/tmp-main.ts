import { randomUUID } from 'node:crypto';
import { makeVhost, withStack } from '../course/vhosts.ts';
import { runBehind } from './behind.ts';
const runs = Number(process.argv[2] ?? 1);
const sizes = (process.argv[3] ?? '65536,5000').split(',').map(Number);
const others = process.argv[4] ? (await import(process.argv[4])) as { runBehind: typeof runBehind } : undefined;
const limit = process.env.KEYLIMIT;
await withStack(async (stack) => {
  const vhost = () => makeVhost(stack, `l-${randomUUID()}`);
  for (let n = 0; n < runs; n += 1)
    for (const maxMessageBytes of sizes)
      for (const [name, run] of [['before', others?.runBehind], ['after', runBehind]] as const) {
        if (!run) continue;
        const load = (await import('node:os')).loadavg()[0]?.toFixed(1);
        const counts = await run({ AMQP_URL: '', vhost, messages: 10000, processes: 1, maxMessageBytes, limit, say: () => undefined });
        console.log(name, maxMessageBytes, `load ${load}`, counts.map(({ got, expected }) => `${got}/${String(expected).match(/twice (\d+)/)?.[1]}`).join('  '));
      }
});
