import type { Channel } from 'amqplib';
import { z } from 'zod';
import { BrokerConnection } from '../amqp/connection.ts';
import { brokerUrls } from '../amqp/urls.ts';
import { UnavailableError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { Binding, Topology } from './compile.ts';
import { managementApi, vhostInPath } from './management.ts';
import { deadLetters, retryName } from './names.ts';

/** How a queue of the topology stands. */
export interface QueueState {
  queue: string;
  /** What messages in it wait for: a function, their next try, or an operator. */
  kind: 'work' | 'retry' | 'dead-letters';
  /** Messages that wait; null where the broker has no such queue. */
  ready: number | null;
  /** Messages handed out and not acknowledged yet; null where only the management API could tell, and doesn't. */
  inFlight: number | null;
  consumers: number | null;
  bindings: Omit<Binding, 'queue'>[];
}

export interface QueuesOptions {
  url: string;
  /** Of RabbitMQ's management API, with its login; without it, what is in flight is not known. */
  managementUrl?: string | undefined;
  topology: Topology | Promise<Topology>;
  /** The connection's name at the broker. */
  name: string;
  /** How long the broker may take to answer in milliseconds, default 3000. */
  timeoutMs?: number;
  log?: Log;
}

export interface Queues {
  /**
   * Looks at every queue of the topology, and takes no message out of any.
   *
   * @throws UnavailableError where the broker doesn't answer in time, WarrenError ERR_BROKER_REFUSED as for any login.
   */
  read(): Promise<QueueState[]>;
  close(): Promise<void>;
}

/**
 * The state of the queues: what waits and who consumes is counted by the broker on the spot (a passive declaration);
 * what is in flight, and the bindings that were made since, come from its management API, up to 5 s old.
 */
export function createQueues(options: QueuesOptions): Queues {
  const { url, name, timeoutMs = 3000, log = silentLog } = options;
  const connection = new BrokerConnection({ url, name, connectTimeoutMs: timeoutMs });
  const manage = options.managementUrl ? manager(options.managementUrl, url, timeoutMs) : undefined;

  return {
    async read() {
      const topology = await options.topology;
      const known = manage?.().catch((error: unknown) => {
        // Said in the log only: what the AMQP connection tells is worth having without it.
        log.warn({ err: error }, 'the management API does not answer');
        return undefined;
      });
      const counts = await within(timeoutMs, count(connection, topology), () => connection.discard());
      const { inFlight, bindings = topology.bindings } = (await known) ?? {};
      return topology.queues.map(({ name: queue }, index) => ({
        queue,
        kind: kindOf(queue),
        ready: counts[index]?.messageCount ?? null,
        inFlight: inFlight?.get(queue) ?? null,
        consumers: counts[index]?.consumerCount ?? null,
        bindings: bindings
          .filter((each) => each.queue === queue)
          .map(({ exchange, routingKey }) => ({ exchange, routingKey })),
      }));
    },
    close: () => connection.close(),
  };
}

type Count = { messageCount: number; consumerCount: number } | undefined;

async function count(connection: BrokerConnection, { queues }: Topology): Promise<Count[]> {
  const counts: Count[] = [];
  let channel: Channel | undefined;
  try {
    for (const { name } of queues) {
      channel ??= await connection.channel();
      try {
        counts.push(await channel.checkQueue(name));
      } catch (cause) {
        // The broker closes the channel over a queue it doesn't have.
        channel = undefined;
        if (!isNotFound(cause)) throw new UnavailableError('broker', 'the queues can not be read', { cause });
        counts.push(undefined);
      }
    }
    return counts;
  } finally {
    channel?.close().catch(() => undefined);
  }
}

/** AMQP 0-9-1's reply code. */
function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 404;
}

// Made where they are asked for: a cold start doesn't wait for them.
const managedQueues = () =>
  z.array(z.object({ name: z.string(), messages_unacknowledged: z.number().default(0) }));
const managedBindings = () =>
  z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      destination_type: z.string(),
      routing_key: z.string(),
    }),
  );

interface Managed {
  inFlight: Map<string, number>;
  bindings: Binding[];
}

function manager(managementUrl: string, brokerUrl: string, timeoutMs: number): () => Promise<Managed> {
  const api = managementApi(managementUrl, timeoutMs);
  const vhost = vhostInPath(brokerUrls(brokerUrl)[0] as string);
  return async () => {
    const [queues = [], bindings = []] = await Promise.all([
      api.get(`queues/${vhost}?columns=name,messages_unacknowledged`, managedQueues()),
      api.get(`bindings/${vhost}`, managedBindings()),
    ]);
    return {
      inFlight: new Map(queues.map((each) => [each.name, each.messages_unacknowledged])),
      // Every queue is bound to the default exchange, which has no name.
      bindings: bindings
        .filter(({ source, destination_type }) => source !== '' && destination_type === 'queue')
        .map(({ source, destination, routing_key }) => ({
          ...{ queue: destination, exchange: source, routingKey: routing_key },
        })),
    };
  };
}

const retryPrefix = retryName(0).replace(/0s$/, '');

function kindOf(queue: string): QueueState['kind'] {
  if (queue === deadLetters) return 'dead-letters';
  return queue.startsWith(retryPrefix) ? 'retry' : 'work';
}

async function within<T>(ms: number, work: Promise<T>, late: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late();
      reject(new UnavailableError('broker', `no answer from the broker within ${ms} ms`));
    }, ms);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
