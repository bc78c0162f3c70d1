import type { z } from 'zod';
import type { Publisher } from '../../runtime/amqp/publisher.ts';
import { toEvent } from '../../runtime/messages/event.ts';
import { onCalls } from '../../runtime/messages/on-calls.ts';
import type { Message } from '../../runtime/messages/received.ts';
import type { TestBroker } from './broker.ts';

/** A queue for a method, with the binding of the topology. */
export async function methodQueue(broker: TestBroker, what = 'method'): Promise<string> {
  const method = await broker.queue(what, { 'x-queue-type': 'classic' });
  await broker.channel.bindQueue(method, 'rpc', method);
  return method;
}

/** Serves a method with `onCalls` and a plain consumer. Returns the method's name. */
export async function serveMethod<Body>(
  { broker, publisher, schema }: { broker: TestBroker; publisher: Publisher; schema: z.ZodType<Body> },
  handle: (call: Message<Body>) => Promise<unknown>,
): Promise<string> {
  const method = await methodQueue(broker);
  const run = onCalls({ schema, publisher }, handle);
  await broker.channel.consume(method, async (message) => {
    if (!message) return;
    await run(toEvent({ arn: 'arn', queue: method, vhost: '/' }, [message]));
    broker.channel.ack(message);
  });
  return method;
}
