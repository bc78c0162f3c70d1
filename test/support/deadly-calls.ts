/**
 * A process that serves the RPC queue named by its first argument: it prints `begun <body>` for each call, and the call "die"
 * ends it as running out of memory would. The second argument is the queue's `redeliveries`.
 */
import { z } from 'zod';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { EventSource } from '../../runtime/event-source/event-source.ts';
import { inProcess } from '../../runtime/hosts/in-process.ts';
import { onCalls } from '../../runtime/messages/on-calls.ts';

const [queue = '', redeliveries = '0'] = process.argv.slice(2);
const url = process.env['AMQP_URL'] ?? '';
const publisher = new Publisher({ url, name: 'deadly calls' });
const handler = onCalls({ schema: z.unknown(), publisher }, async ({ body }) => {
  process.stdout.write(`begun ${body}\n`);
  // The line has to leave the process before it ends.
  if (body === 'die') await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  if (body === 'die') process.kill(process.pid, 'SIGKILL');
  return body;
});
const source = new EventSource({
  url,
  mappings: [
    {
      functionName: 'deadly',
      queue,
      vhost: '/',
      arn: 'arn',
      batchSize: 10,
      windowMs: 0,
      kind: 'rpc',
      concurrency: 10,
      redeliveries: Number(redeliveries),
    },
  ],
  invoke: () => inProcess({ functionName: 'deadly', load: async () => handler, timeoutMs: 10_000 }),
  log: silentLog,
});
await source.start();
