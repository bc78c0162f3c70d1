import type { Socket } from 'node:net';
import { silentLog } from '../../runtime/base/log.ts';
import { EventSource, type EventSourceOptions } from '../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../runtime/event-source/mapping.ts';
import { type ReceivedMessage, readEvent } from '../../runtime/messages/received.ts';
import { faultyServer, proxyTo } from './faults.ts';
import { stack } from './stack.ts';

/** Time limits of conditions. */
export const patience = { timeout: 20_000, interval: 20 };

type Settings = Partial<Mapping> & Partial<Pick<EventSourceOptions, 'url' | 'log' | 'observer'>>;

/** Feeds a function from a queue as a worker does, with retries after one second. */
export async function feeding(queue: string, invoke: Invoke, settings: Settings = {}): Promise<EventSource> {
  const { url = stack.AMQP_URL, log = silentLog, observer, ...mapping } = settings;
  const source = new EventSource({
    url,
    mappings: [
      {
        functionName: 'fed',
        queue,
        vhost: '/',
        arn: 'arn:test',
        batchSize: 10,
        windowMs: 50,
        policy: { delays: [1], maxAge: 3600 },
        ...mapping,
      },
    ],
    invoke: () => invoke,
    log,
    ...(observer && { observer }),
  });
  await source.start();
  return source;
}

/** The messages of an event with their bodies as JSON. */
export function messagesIn(event: Parameters<Invoke>[0]): (ReceivedMessage & { body: unknown })[] {
  return readEvent(event).map((message) => ({ ...message, body: JSON.parse(message.content.toString()) }));
}

/** An address of the broker whose connections a test can cut. */
export async function cuttable(): Promise<{ url: string; cut(): void; close(): Promise<void> }> {
  const proxy = proxyTo(new URL(stack.AMQP_URL));
  const server = await faultyServer((socket: Socket) => proxy.serve(socket));
  const url = Object.assign(new URL(stack.AMQP_URL), { port: server.port }).href;
  return { url, cut: () => proxy.cut(), close: () => server.close() };
}
