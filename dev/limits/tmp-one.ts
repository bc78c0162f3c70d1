import { randomUUID } from 'node:crypto';
import { makeVhost, withStack } from '../course/vhosts.ts';
import { inScene, afterStart, whileRunning } from './tmp-behind.ts';
const [when, where, size, prof] = process.argv.slice(2);
await withStack(async (stack) => {
  const vhost = () => makeVhost(stack, `l-${randomUUID()}`);
  const o = { AMQP_URL: '', vhost, messages: 10000, processes: 1, maxMessageBytes: Number(size), say: () => undefined };
  if (prof === "tl") process.env.NODE_OPTIONS = process.env.NODE_OPTIONS2; else if (prof) { process.env.NODE_OPTIONS = "--import /tmp/prof-pre.mjs"; process.env.PROFDIR = prof; }
  const f = when === 'waited' ? afterStart : whileRunning;
  console.log(await inScene(o, (s) => f(s, 10000, (s.tenants as any)[where as string])));
});
