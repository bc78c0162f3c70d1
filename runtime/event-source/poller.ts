import type { BrokerConnection } from '../amqp/connection.ts';
import type { loginOf } from '../amqp/login.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { type Log, silentLog } from '../base/log.ts';
import { isPromise } from '../base/promises.ts';
import { limitQueues } from '../topology/token-names.ts';
import { holdLimits } from './ack-limit.ts';
import { Ahead } from './ahead.ts';
import type { Arrivals } from './arrivals.ts';
import { BatchRunner } from './batch.ts';
import { CallRunner } from './call-runner.ts';
import { compileFilter } from './filter.ts';
import { type HeldBytes, heldBytes } from './held-bytes.ts';
import type { Invoke, LaneInvoke } from './invoke.ts';
import { LimitedBatches } from './limited/limited-batches.ts';
import { Tokens } from './limited/tokens.ts';
import { TokensSeen } from './limited/tokens-seen.ts';
import type { Mapping } from './mapping.ts';
import type { Observer } from './observer.ts';
import { QueueDelay } from './queue-delay.ts';
import { setBack } from './set-back.ts';
import { Subscribing } from './subscribing.ts';
import type { Subscription } from './subscription.ts';

export interface PollerOptions {
  mapping: Mapping;
  /** Consumes. Publishes nothing except the replies of calls. */
  connection: Pick<
    BrokerConnection,
    'channel' | 'discard' | 'address' | 'addresses' | 'blocked' | typeof loginOf
  >;
  invoke: Invoke;
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
  log?: Log;
  observer?: Observer;
  /** Of the mapping, for all its pollers; default its own. */
  queueDelay?: QueueDelay;
  /** The tokens of its limit that have come, for all its pollers; default its own. */
  seen?: TokensSeen;
  arrivals: Pick<Arrivals, 'earliest'>;
  /** Bytes of messages that it may hold; default as the only mapping of its process. */
  held?: HeldBytes;
  /** Milliseconds for which a delivery may be held, default 25 minutes: RabbitMQ closes the channel at 30. */
  maxHoldMs?: number;
  /** Milliseconds from a delivery until its call begins, at most, default 15 minutes; a message that waited longer goes back. */
  callWithinMs?: number;
  /** Milliseconds that the broker may take to answer a subscription, default 10000; after that, a new connection. */
  answerMs?: number;
}

/**
 * Feeds one function from one queue: consumes with manual acknowledgement, calls the function with AWS's event, one call at a
 * time (calls over RPC: several), and acknowledges when the call has succeeded. It continues until it is stopped, whatever happens to the broker, the
 * queue or the function.
 */
export class Poller {
  readonly #options: Required<PollerOptions>;
  readonly #lane: LaneInvoke | undefined;
  readonly #runner: BatchRunner;
  readonly #calls: CallRunner;
  readonly #subscribing: Subscribing;

  constructor(options: PollerOptions) {
    const { mapping, log = silentLog, queueDelay = new QueueDelay(mapping, log) } = options;
    const held = heldBytes(mapping.concurrency ?? 1, mapping.concurrency);
    const { seen = new TokensSeen() } = options;
    this.#options = {
      observer: {},
      ...holdLimits,
      held,
      answerMs: 10_000,
      ...options,
      log,
      queueDelay,
      seen,
    };
    this.#lane = mapping.limit ? undefined : options.invoke.lane?.();
    this.#runner = new BatchRunner({ ...this.#options, invoke: this.#lane ?? options.invoke });
    this.#calls = new CallRunner(this.#options);
    this.#subscribing = new Subscribing({
      ...this.#options,
      matches: compileFilter(mapping.filterPatterns ?? []),
      setBack: (delivery) => setBack(this.#options, delivery),
      serve: (subscription, begun) => this.#serve(subscription, begun),
      pauseMs: () => this.#runner.pauseMs,
    });
  }

  /**
   * Starts. It resolves when the first subscription stands, or when the broker or the queue is not available at any of its
   * addresses: then the poller keeps trying.
   *
   * @throws WarrenError ERR_BROKER_REFUSED if user, password or vhost are wrong at start, ERR_CONFIG if the URL is; with several
   *   addresses, when each was tried and none works.
   */
  async start(): Promise<void> {
    await this.#subscribing.start();
  }

  /** Takes no more messages, and resolves when the call in flight is acknowledged. Other deliveries go back to the queue. */
  async stop(): Promise<void> {
    await this.#subscribing.stop();
  }

  async #serve(subscription: Subscription, begun: () => void): Promise<undefined> {
    const { mapping } = this.#options;
    if (mapping.kind === 'rpc') {
      begun();
      await this.#calls.serve(subscription);
      return;
    }
    const ahead = await this.#batchesOf(subscription);
    try {
      begun();
      await this.#callEach(subscription, ahead);
    } finally {
      // They would run beside the same messages from the next subscription.
      await ahead.close();
    }
  }

  async #batchesOf(subscription: Subscription): Promise<Ahead | LimitedBatches> {
    const { mapping } = this.#options;
    const { copies } = this.#runner;
    if (!mapping.limit) return new Ahead({ ...this.#options, subscription, lane: this.#lane, copies });
    const queues = limitQueues(mapping.queue, mapping.limit);
    const ended = () => subscription.deliveries.end();
    const tokens = await Tokens.open({ ...this.#options, queues, ended });
    return new LimitedBatches({ ...this.#options, subscription, tokens });
  }

  async #callEach(subscription: Subscription, ahead: Ahead | LimitedBatches): Promise<void> {
    const { mapping, observer } = this.#options;
    for (;;) {
      const next = ahead.next();
      const batch = isPromise(next) ? await next : next;
      if (!batch) return;
      observer.taken?.(mapping, batch.deliveries);
      const startedAt = performance.now();
      const running = this.#runner.run(subscription, batch);
      ahead.fill();
      const outcome = await running;
      if (outcome === 'kept' || (subscription.ended.aborted && !ahead.isOpen)) return;
      if (outcome !== 'done') continue;
      const ms = batch.sentMs ?? performance.now() - startedAt;
      ahead.took(ms);
      const adapting = subscription.adapt(batch, ms);
      if (adapting) await adapting;
      const writing = subscription.acknowledger.writeIfMany();
      if (writing) await writing;
    }
  }
}
