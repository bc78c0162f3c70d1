import type { BrokerConnection } from '../amqp/connection.ts';
import type { Log } from '../base/log.ts';
import { backoff, pause } from './backoff.ts';
import { PollerStart } from './poller-start.ts';
import { Subscription } from './subscription.ts';
import type { SubscriptionOptions } from './subscription-options.ts';

/** How a subscription ended on purpose, if it did. */
export type Ending = 'left' | 'again' | undefined;

export interface SubscribingOptions extends Omit<SubscriptionOptions, 'stopping'> {
  connection: Pick<BrokerConnection, 'channel' | 'discard' | 'address' | 'addresses'>;
  log: Log;
  /**
   * Handles the deliveries of a subscription until it ends. The subscription is closed after that.
   *
   * @param begun has to be called when all is there that it needs. Until then, an error counts as a failed try.
   * @returns `left` if it ended on purpose, which is not logged, or `again` if the next one has to begin at once.
   */
  serve(subscription: Subscription, begun: () => void): Promise<Ending>;
  /** Milliseconds to wait before the next subscription, at least. */
  pauseMs(): number;
}

/** Subscribes to one queue again and again until it is stopped, whatever happens to the broker or the queue. */
export class Subscribing {
  readonly #options: SubscribingOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #subscription: Subscription | undefined;

  constructor(options: SubscribingOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the first subscription stands, or when the broker or the queue is not available at any of its addresses: then
   * it keeps trying.
   *
   * @throws WarrenError ERR_BROKER_REFUSED or ERR_CONFIG, as `Poller.start`.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(new PollerStart(this.#options.connection.addresses, resolve, reject));
    });
  }

  /** Takes no more messages, and resolves when the subscription is closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#subscription?.stop();
    await this.#running;
  }

  async #run(start: PollerStart): Promise<void> {
    const { log, mapping, pauseMs } = this.#options;
    const { signal } = this.#stopping;
    let tries = 0;
    // Each kind of failure is logged once, and not at every try.
    const logged = new Set<unknown>();
    while (!signal.aborted) {
      try {
        const ended = await this.#subscribe(() => {
          tries = 0;
          logged.clear();
          log.info({ queue: mapping.queue }, 'consuming');
          start.succeeded();
        });
        if (ended === 'again') continue;
        if (!signal.aborted && ended !== 'left')
          log.warn({ queue: mapping.queue }, 'consumer ended, subscribing again');
      } catch (error) {
        if (start.failed(error, tries + 1) === 'refused') return;
        const { code } = error as { code?: unknown };
        if (!logged.has(code)) log.warn({ queue: mapping.queue, err: error }, 'cannot subscribe, retrying');
        logged.add(code);
      }
      tries += 1;
      await pause(Math.max(backoff(tries, 200, 5000), pauseMs()), signal);
    }
    // Stopped before the first subscription stood: the caller of `start` must not wait for it.
    start.succeeded();
  }

  /** Consumes until the subscription ends. */
  async #subscribe(subscribed: () => void): Promise<Ending> {
    const { signal: stopping } = this.#stopping;
    const subscription = await Subscription.open({ ...this.#options, stopping });
    try {
      await subscription.start();
      this.#subscription = subscription;
      if (stopping.aborted) return undefined;
      return await this.#options.serve(subscription, () => {
        subscription.begun();
        subscribed();
      });
    } finally {
      await subscription.close();
    }
  }
}
