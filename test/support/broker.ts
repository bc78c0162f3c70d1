import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, type ConsumeMessage, connect, type GetMessage, type Options } from 'amqplib';
import { vi } from 'vitest';
import type { DeadLetter } from '../../runtime/dead-letters/dead-letter.ts';
import type { DeadLetterFilter } from '../../runtime/dead-letters/filter.ts';
import { takeEach } from '../../runtime/dead-letters/take.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import { deadExchange, defaultRetryDelays, retryQueue } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { stack } from './stack.ts';

/** A name that no other test uses. */
export const unique = (what: string): string => `test-${what}-${randomUUID().slice(0, 8)}`;

type QueueArguments = Record<string, unknown>;

/** The broker as a test sees it: it makes queues and exchanges of its own, which go when it is closed. */
export interface TestBroker {
  channel: ConfirmChannel;
  /** A work queue with the arguments of production, or with those given. */
  queue(what?: string, args?: QueueArguments | ((name: string) => QueueArguments)): Promise<string>;
  exchange(type: 'topic' | 'fanout' | 'direct'): Promise<string>;
  /** Publishes, as any AMQP client would, and waits for the confirm. */
  publish(exchange: string, key: string, body: unknown, options?: Options.Publish): Promise<void>;
  /** Puts a message into a queue. */
  send(queue: string, body: unknown, options?: Options.Publish): Promise<void>;
  /** Messages that are ready; those handed out and not acknowledged don't count. */
  count(queue: string): Promise<number>;
  /** Waits for a message and takes it. */
  take(queue: string, timeout?: number): Promise<GetMessage>;
  /** Takes what is there. */
  drain(queue: string): Promise<GetMessage[]>;
  remove(queue: string): Promise<void>;
  close(): Promise<void>;
}

export async function openBroker(): Promise<TestBroker> {
  const model = await connect(stack.AMQP_URL, { clientProperties: { connection_name: unique('broker') } });
  const channel = await model.createConfirmChannel();
  const queues: string[] = [];
  const exchanges: string[] = [];

  // Not `waitForConfirms`, which takes the square of the time for messages that are published together.
  const publish: TestBroker['publish'] = (exchange, key, body, options) =>
    new Promise((resolve, reject) => {
      const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const settings = { persistent: true, mandatory: true, ...options };
      channel.publish(exchange, key, content, settings, (error) => (error ? reject(error) : resolve()));
    });

  return {
    channel,
    publish,
    async queue(what = 'queue', args) {
      const name = unique(what);
      if (args) {
        const its = typeof args === 'function' ? args(name) : args;
        await channel.assertQueue(name, { durable: true, arguments: its });
      } else await applyTopology(stack.AMQP_URL, onlyQueue(name));
      queues.push(name);
      return name;
    },
    async exchange(type) {
      const name = unique(type);
      await channel.assertExchange(name, type, { durable: true });
      exchanges.push(name);
      return name;
    },
    send: (queue, body, options) => publish('', queue, body, options),
    async count(queue) {
      return (await channel.checkQueue(queue)).messageCount;
    },
    async take(queue, timeout = 10_000) {
      return vi.waitFor(
        async () => {
          const message = await channel.get(queue, { noAck: true });
          if (!message) throw new Error(`no message in ${queue}`);
          return message;
        },
        { timeout, interval: 50 },
      );
    },
    async drain(queue) {
      const taken: GetMessage[] = [];
      for (;;) {
        const message = await channel.get(queue, { noAck: true });
        if (!message) return taken;
        taken.push(message);
      }
    },
    async remove(queue) {
      await channel.deleteQueue(queue);
      for (const seconds of defaultRetryDelays) await channel.deleteQueue(retryQueue(queue, seconds));
    },
    async close() {
      const cleaner = await model.createChannel();
      for (const name of queues) {
        await cleaner.deleteQueue(name);
        await cleaner.deleteQueue(retryQueue(name, retrySeconds));
      }
      for (const name of exchanges) await cleaner.deleteExchange(name);
      await model.close();
    },
  };
}

/** The delay of a test's work queues. */
const retrySeconds = 1;

/** A work queue and its retry queue just as `warren topology apply` makes them. */
function onlyQueue(name: string) {
  const { queues, bindings, exchanges } = compileTopology(
    readSection({ queues: { [name]: {} }, retryDelays: [retrySeconds] }),
  );
  return {
    exchanges,
    queues: queues.filter((queue) => queue.name === name || queue.retryOf === name),
    bindings: bindings.filter(({ exchange }) => exchange !== deadExchange),
  };
}

/** A channel error has closed the test's channel; some tests make one on purpose and use a broker of their own. */
export async function withBroker<T>(use: (broker: TestBroker) => Promise<T>): Promise<T> {
  const broker = await openBroker();
  try {
    return await use(broker);
  } finally {
    await broker.close();
  }
}

/** Asks RabbitMQ's management API, and gives the answer's body. */
export async function management<T>(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  body?: object | string,
): Promise<T> {
  const url = new URL(stack.AMQP_MANAGEMENT_URL);
  const response = await fetch(`${url.origin}/api${path}`, {
    method,
    headers: {
      authorization: basicAuthorization(url),
      'content-type': 'application/json',
    },
    ...(body && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

interface ListedConnection {
  name: string;
  client_properties?: { connection_name?: string };
}

/** Waits until the connection of that name is listed, which takes the broker seconds, and gives a way to cut it. */
export async function findConnection(name: string): Promise<{ kill(): Promise<void> }> {
  const found = await vi.waitFor(
    async () => {
      const all = await management<ListedConnection[]>('GET', '/connections');
      const [one] = all.filter((each) => each.client_properties?.connection_name === name);
      if (!one) throw new Error(`no connection "${name}" is listed`);
      return one;
    },
    { timeout: 20_000, interval: 100 },
  );
  return { kill: () => management('DELETE', `/connections/${encodeURIComponent(found.name)}`) };
}

/** Cuts the connection of that name from the broker's side, as an operator would. */
export async function killConnection(name: string): Promise<void> {
  await (await findConnection(name)).kill();
}

/**
 * Drops the dead letters meant and gives them. A letter that another test is looking at just now is out of sight for
 * as long: this goes on until there were as many as expected.
 */
export async function dropLetters(
  filter: DeadLetterFilter,
  expected: number,
  timeout = 15_000,
): Promise<DeadLetter[]> {
  const dropped: DeadLetter[] = [];
  await vi.waitFor(
    async () => {
      await takeEach(stack.AMQP_URL, { filter }, async (_message, letter) => {
        dropped.push(letter);
        return 'remove';
      });
      if (dropped.length < expected) throw new Error(`${dropped.length} of ${expected} letters were there`);
    },
    { timeout, interval: 100 },
  );
  return dropped;
}

/** A delivery as amqplib gives it, made by hand for what needs no broker. */
export function delivery(
  content: Buffer | string,
  given: {
    fields?: Partial<ConsumeMessage['fields']>;
    properties?: Partial<ConsumeMessage['properties']>;
  } = {},
): ConsumeMessage {
  const none = undefined;
  return {
    content: Buffer.from(content),
    fields: {
      consumerTag: 'tag',
      deliveryTag: 1,
      redelivered: false,
      exchange: 'alerts',
      routingKey: 'critical.disk',
      ...given.fields,
    },
    properties: {
      contentType: none,
      contentEncoding: none,
      headers: {},
      deliveryMode: none,
      priority: none,
      correlationId: none,
      replyTo: none,
      expiration: none,
      messageId: none,
      timestamp: none,
      type: none,
      userId: none,
      appId: none,
      clusterId: none,
      ...given.properties,
    },
  };
}
