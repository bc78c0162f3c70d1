import type { BrokerConnection } from '../amqp/connection.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { type Log, silentLog } from '../base/log.ts';
import { isPromise } from '../base/promises.ts';
import { holdLimits } from './ack-limit.ts';
import { Ahead } from './ahead.ts';
import type { Arrivals } from './arrivals.ts';
import { backoff, pause } from './backoff.ts';
import { BatchRunner } from './batch.ts';
import type { Observer } from './call.ts';
import { CallRunner } from './call-runner.ts';
import { compileFilter } from './filter.ts';
import { type HeldBytes, heldBytes } from './held-bytes.ts';
import type { Invoke, LaneInvoke } from './invoke.ts';
import type { Mapping } from './mapping.ts';
import { PollerStart } from './poller-start.ts';
import { QueueDelay } from './queue-delay.ts';
import { setBack } from './set-back.ts';
import { Subscription } from './subscription.ts';

export interface PollerOptions {
  mapping: Mapping;
  /** Consumes; never publishes. */
  connection: Pick<BrokerConnection, 'channel' | 'discard' | 'address' | 'addresses'>;
  invoke: Invoke;
  /** Publishes the messages that no call can carry as dead letters. */
  publisher: PublisherLike;
  log?: Log;
  observer?: Observer;
  /** Of the mapping, for all its pollers; default its own. */
  queueDelay?: QueueDelay;
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
  readonly #matches: (content: Buffer) => boolean;
  readonly #lane: LaneInvoke | undefined;
  readonly #runner: BatchRunner;
  readonly #calls: CallRunner;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #subscription: Subscription | undefined;

  constructor(options: PollerOptions) {
    const { mapping, log = silentLog, queueDelay = new QueueDelay(mapping, log) } = options;
    const held = heldBytes(mapping.concurrency ?? 1, mapping.concurrency);
    this.#options = { observer: {}, ...holdLimits, held, answerMs: 10_000, ...options, log, queueDelay };
    this.#matches = compileFilter(options.mapping.filterPatterns ?? []);
    this.#lane = options.invoke.lane?.();
    this.#runner = new BatchRunner({ ...this.#options, invoke: this.#lane ?? options.invoke });
    this.#calls = new CallRunner(this.#options);
  }

  /**
   * Starts. It resolves when the first subscription stands, or when the broker or the queue is not available at any of its
   * addresses: then the poller keeps trying.
   *
   * @throws WarrenError ERR_BROKER_REFUSED if user, password or vhost are wrong at start, ERR_CONFIG if the URL is; with several
   *   addresses, when each was tried and none works.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(new PollerStart(this.#options.connection.addresses, resolve, reject));
    });
  }

  /** Takes no more messages, and resolves when the call in flight is acknowledged. Other deliveries go back to the queue. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#subscription?.stop();
    await this.#running;
  }

  async #run(start: PollerStart): Promise<void> {
    const { log, mapping } = this.#options;
    const { signal } = this.#stopping;
    let tries = 0;
    // Each kind of failure is logged once, and not at every try.
    const logged = new Set<unknown>();
    while (!signal.aborted) {
      try {
        await this.#subscribe(() => {
          tries = 0;
          logged.clear();
          log.info({ queue: mapping.queue }, 'consuming');
          start.succeeded();
        });
        if (!signal.aborted) log.warn({ queue: mapping.queue }, 'consumer ended, subscribing again');
      } catch (error) {
        if (start.failed(error, tries + 1) === 'refused') return;
        const { code } = error as { code?: unknown };
        if (!logged.has(code)) log.warn({ queue: mapping.queue, err: error }, 'cannot subscribe, retrying');
        logged.add(code);
      }
      tries += 1;
      await pause(Math.max(backoff(tries, 200, 5000), this.#runner.pauseMs), signal);
    }
    // Stopped before the first subscription stood: the caller of `start` must not wait for it.
    start.succeeded();
  }

  /** Consumes until the subscription ends. */
  async #subscribe(subscribed: () => void): Promise<void> {
    const { signal: stopping } = this.#stopping;
    const subscription = await Subscription.open({
      ...this.#options,
      matches: this.#matches,
      setBack: (delivery) => setBack(this.#options, delivery),
      stopping,
    });
    let ahead: Ahead | undefined;
    try {
      await subscription.start();
      this.#subscription = subscription;
      if (stopping.aborted) return;
      subscribed();
      const { mapping, observer } = this.#options;
      if (mapping.kind === 'rpc') return await this.#calls.serve(subscription);
      const { copies } = this.#runner;
      ahead = new Ahead({ ...this.#options, subscription, lane: this.#lane, copies });
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
      }
    } finally {
      // They would run beside the same messages from the next subscription.
      await ahead?.close();
      await subscription.close();
    }
  }
}
