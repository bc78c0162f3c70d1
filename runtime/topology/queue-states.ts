import { BrokerConnection, type ConnectionOptions } from '../amqp/connection.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { defaultLog, type Log } from '../base/log.ts';
import type { Binding, Topology } from './compile.ts';
import { type Count, countQueues } from './count-queues.ts';
import { type Managed, type ManagedOptions, managedReader } from './managed-queues.ts';
import { deadLetters, homeExchange } from './names.ts';

/** The state of one queue of the topology. */
export interface QueueState {
  queue: string;
  /** What its messages wait for: a function or an operator. */
  kind: 'work' | 'dead-letters';
  /** Number of messages that wait; null if the broker has no such queue. */
  ready: number | null;
  /** Number of delivered messages that are not acknowledged yet; null if the management API does not report it. */
  inFlight: number | null;
  /** Number of its failed messages that wait for a retry; null if the broker has no such retry queue. */
  retrying: number | null;
  /**
   * How many of them are held although their delay is over, because the queue takes none; null if the management API does not
   * report it.
   */
  overdue: number | null;
  consumers: number | null;
  /** Its limit; undefined if it has none. */
  limit?: {
    /** Messages that may be handed to its function in so many seconds. */
    count: number;
    seconds: number;
    /** How many of them may be handed over now; null if the broker does not have the limit. Those that consumers hold do not count. */
    free: number | null;
  };
  /** Whether its consumers come and go on AWS, because the long poll feeds its function; undefined if not. */
  polled?: true;
  bindings: Omit<Binding, 'queue'>[];
}

export interface QueueStatesOptions {
  url: string;
  /** URL of RabbitMQ's management API, with its login; without it, `inFlight` is unknown. */
  managementUrl?: string | undefined;
  /** Reads `url` again after the broker refused the login; default it never changes. */
  renewUrl?: ConnectionOptions['renewUrl'];
  /** As `renewUrl`, for `managementUrl`. */
  renewManagementUrl?: ManagedOptions['renewManagementUrl'];
  topology: Topology | Promise<Topology>;
  /** Name of the connection at the broker. */
  name: string;
  /** Time limit for an answer of the broker in milliseconds, default 3000. */
  timeoutMs?: number;
  log?: Log;
}

/**
 * Reads the state of the queues. The broker counts waiting messages and consumers at the moment of the call (a passive
 * declaration). Messages in flight or overdue and the bindings that exist come from its management API, and are up to 5 s old.
 */
export class QueueStates {
  readonly #connection: BrokerConnection;
  readonly #topology: Topology | Promise<Topology>;
  readonly #readManaged: (() => Promise<Managed>) | undefined;
  readonly #timeoutMs: number;
  readonly #log: Log;

  constructor(options: QueueStatesOptions) {
    const { url, renewUrl, managementUrl, renewManagementUrl, topology } = options;
    const { name, timeoutMs = 3000, log = defaultLog() } = options;
    this.#connection = new BrokerConnection({ url, renewUrl, name, connectTimeoutMs: timeoutMs });
    this.#topology = topology;
    this.#readManaged = managementUrl
      ? managedReader({ managementUrl, renewManagementUrl, brokerUrl: url, timeoutMs })
      : undefined;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  /**
   * Reads the state of every queue of the topology, and takes no message from a queue. Retry queues are part of the state of
   * their work queue.
   *
   * @throws UnavailableError if the broker does not answer in time, WarrenError ERR_BROKER_REFUSED if it refuses the login, or the
   *   login lacks a right to a queue (`counts` in `custom.warren.users`).
   */
  async read(): Promise<QueueState[]> {
    const topology = await this.#topology;
    const managing = this.#readManaged?.().catch((error: unknown) => {
      // Only logged, because the counts of the AMQP connection are useful without it.
      this.#log.warn({ err: error }, 'the management API does not answer');
      return undefined;
    });
    const counts = await withDeadline(countQueues(this.#connection, topology.queues), {
      // Each address may take one connect timeout.
      ms: this.#timeoutMs * this.#connection.addresses,
      late: () => {
        this.#connection.discard();
        return new UnavailableError('broker', `no answer from the broker within ${this.#timeoutMs} ms`);
      },
    });
    return statesOf(topology, counts, await managing);
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

function statesOf(
  topology: Topology,
  counts: ReadonlyMap<string, Count>,
  managed: Managed | undefined,
): QueueState[] {
  const { inFlight, expired, delayed, bindings = topology.bindings } = managed ?? {};
  const own = topology.queues.filter(
    (each) => (each.retryOf ?? each.partitionOf ?? each.limitOf) === undefined,
  );
  return own.map(({ name: queue }) => {
    const retries = topology.queues.filter(({ retryOf }) => retryOf === queue);
    const waiting = [delayed?.get(queue) ?? 0, ...retries.map(({ name }) => counts.get(name)?.messageCount)];
    const overdue = expired && sum(retries.map(({ name }) => expired.get(name) ?? 0));
    const divided = topology.partitioned?.find((each) => each.queue === queue);
    const { partitions = [], parked = [] } = divided ?? {};
    const bound =
      divided?.sources ?? bindings.filter((each) => each.queue === queue && each.exchange !== homeExchange);
    const ready = [queue, ...partitions, ...parked].map((name) => counts.get(name)?.messageCount);
    // A queue with partitions has none itself, and lacks a consumer if one of them does.
    const limit = topology.limited?.find((each) => each.queue === queue);
    // The consumers of a queue with a limit consume it only while they have tokens.
    const consumed = partitions.length > 0 ? partitions : [limit?.consumers ?? queue];
    const consumers = consumed.map((name) => counts.get(name)?.consumerCount);
    return {
      queue,
      kind: queue === deadLetters ? 'dead-letters' : 'work',
      ready: areKnown(ready) ? sum(ready) : null,
      inFlight: sumOf(inFlight, [queue, ...partitions, ...parked]),
      retrying: areKnown(waiting) ? sum(waiting) + (overdue ?? 0) : null,
      overdue: overdue ?? null,
      consumers: areKnown(consumers) ? Math.min(...consumers) : null,
      ...(limit && {
        limit: {
          count: limit.count,
          seconds: limit.periodMs / 1000,
          free: counts.get(limit.tokens)?.messageCount ?? null,
        },
      }),
      ...(topology.polled?.includes(queue) && { polled: true as const }),
      bindings: bound.map(({ exchange, routingKey }) => ({ exchange, routingKey })),
    };
  });
}

const areKnown = (numbers: readonly (number | undefined)[]): numbers is number[] =>
  numbers.every((each) => each !== undefined);

function sumOf(counts: ReadonlyMap<string, number> | undefined, queues: readonly string[]): number | null {
  const known = queues.map((queue) => counts?.get(queue));
  return areKnown(known) ? sum(known) : null;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
