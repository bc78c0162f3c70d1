import type { Channel } from 'amqplib';
import { z } from 'zod';
import { BrokerConnection } from '../amqp/connection.ts';
import { brokerUrls } from '../amqp/urls.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { Binding, Topology } from './compile.ts';
import { managementApi, vhostInPath } from './management.ts';
import { deadLetters, retryName } from './names.ts';

/** The state of one queue of the topology. */
export interface QueueState {
  queue: string;
  /** What its messages wait for: a function, their next retry, or an operator. */
  kind: 'work' | 'retry' | 'dead-letters';
  /** Number of messages that wait; null if the broker has no such queue. */
  ready: number | null;
  /** Number of delivered messages that are not acknowledged yet; null if the management API does not report it. */
  inFlight: number | null;
  consumers: number | null;
  bindings: Omit<Binding, 'queue'>[];
}

export interface QueueStatesOptions {
  url: string;
  /** URL of RabbitMQ's management API, with its login; without it, `inFlight` is unknown. */
  managementUrl?: string | undefined;
  topology: Topology | Promise<Topology>;
  /** Name of the connection at the broker. */
  name: string;
  /** Time limit for an answer of the broker in milliseconds, default 3000. */
  timeoutMs?: number;
  log?: Log;
}

/**
 * Reads the state of the queues. The broker counts waiting messages and consumers at the moment of the call (a passive
 * declaration). Messages in flight and the bindings that exist come from its management API, and are up to 5 s old.
 */
export class QueueStates {
  readonly #connection: BrokerConnection;
  readonly #topology: Topology | Promise<Topology>;
  readonly #readManaged: (() => Promise<Managed>) | undefined;
  readonly #timeoutMs: number;
  readonly #log: Log;

  constructor({ url, managementUrl, topology, name, timeoutMs = 3000, log = silentLog }: QueueStatesOptions) {
    this.#connection = new BrokerConnection({ url, name, connectTimeoutMs: timeoutMs });
    this.#topology = topology;
    this.#readManaged = managementUrl ? managedReader(managementUrl, url, timeoutMs) : undefined;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  /**
   * Reads the state of every queue of the topology, and takes no message from a queue.
   *
   * @throws UnavailableError if the broker does not answer in time, WarrenError ERR_BROKER_REFUSED if it refuses the login.
   */
  async read(): Promise<QueueState[]> {
    const topology = await this.#topology;
    const managing = this.#readManaged?.().catch((error: unknown) => {
      // Only logged, because the counts of the AMQP connection are useful without it.
      this.#log.warn({ err: error }, 'the management API does not answer');
      return undefined;
    });
    const counts = await withDeadline(count(this.#connection, topology), {
      // Each address may take one connect timeout.
      ms: this.#timeoutMs * this.#connection.addresses,
      late: () => {
        this.#connection.discard();
        return new UnavailableError('broker', `no answer from the broker within ${this.#timeoutMs} ms`);
      },
    });
    const { inFlight, bindings = topology.bindings } = (await managing) ?? {};
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
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** @deprecated Renamed to `QueueStates`. */
export type Queues = Pick<QueueStates, 'read' | 'close'>;

/** @deprecated Use `new QueueStates(options)`. */
export function createQueues(options: QueueStatesOptions): QueueStates {
  return new QueueStates(options);
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
        // The broker closes the channel when a queue does not exist.
        channel = undefined;
        if (!isNotFound(cause)) throw new UnavailableError('broker', 'cannot read the queues', { cause });
        counts.push(undefined);
      }
    }
    return counts;
  } finally {
    channel?.close().catch(() => undefined);
  }
}

/** Whether the broker answered with the reply code 404 of AMQP 0-9-1. */
function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 404;
}

// Functions, because making a schema takes time, and a cold start needs none.
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

/** The part of the state that only the management API reports. */
interface Managed {
  inFlight: Map<string, number>;
  bindings: Binding[];
}

function managedReader(managementUrl: string, brokerUrl: string, timeoutMs: number): () => Promise<Managed> {
  const api = managementApi(managementUrl, timeoutMs);
  const vhost = vhostInPath(brokerUrls(brokerUrl)[0] as string);
  return async () => {
    const [queues = [], bindings = []] = await Promise.all([
      api.get(`queues/${vhost}?columns=name,messages_unacknowledged`, managedQueues()),
      api.get(`bindings/${vhost}`, managedBindings()),
    ]);
    return {
      inFlight: new Map(queues.map((each) => [each.name, each.messages_unacknowledged])),
      // Every queue is bound to the default exchange, whose name is empty.
      bindings: bindings
        .filter(({ source, destination_type }) => source !== '' && destination_type === 'queue')
        .map(({ source: exchange, destination: queue, routing_key: routingKey }) => {
          return { queue, exchange, routingKey };
        }),
    };
  };
}

const retryPrefix = retryName(0).replace(/0s$/, '');

function kindOf(queue: string): QueueState['kind'] {
  if (queue === deadLetters) return 'dead-letters';
  return queue.startsWith(retryPrefix) ? 'retry' : 'work';
}
