import { setTimeout as pauseFor } from 'node:timers/promises';
import type { Channel, ConsumeMessage } from 'amqplib';
import { RejectedError, WarrenError } from '../errors.ts';
import { type Log, silentLog } from '../log.ts';
import type { BrokerConnection } from '../rabbitmq/connection.ts';
import { failedCopy } from '../rabbitmq/failure-policy.ts';
import type { PublisherLike } from '../rabbitmq/publisher.ts';
import { readEvent } from '../rabbitmq/received.ts';
import { Deliveries, encodedSize } from './deliveries.ts';
import { toEvent } from './event.ts';
import { HostAwayError, type Invoke } from './invoke.ts';

/** One queue that feeds one function, as the `rabbitmq` event of serverless.yml says. */
export interface Mapping {
  /** Key of the function in serverless.yml. */
  functionName: string;
  queue: string;
  vhost: string;
  arn: string;
  /** Messages in a batch, default 100. */
  batchSize: number;
  /** Milliseconds to wait for a batch to fill, default 500. */
  windowMs: number;
  /** AWS's filters on `data`; a message that matches none of them is acknowledged and not seen by the function. */
  filterPatterns?: readonly unknown[] | undefined;
}

export interface PollerOptions {
  mapping: Mapping;
  /** Consumes; never publishes. */
  connection: Pick<BrokerConnection, 'channel'>;
  invoke: Invoke;
  /** Takes messages that no call can carry to the dead letters. */
  publisher: PublisherLike;
  log?: Log;
  /** Milliseconds for which a delivery may be held, default 25 minutes: RabbitMQ closes the channel at 30. */
  maxHoldMs?: number;
}

/** What became of a call; `kept` where it never reached the function and the messages have to go back. */
type Outcome = 'done' | 'failed' | 'kept';

/** Lambda takes 6 MB in one call. */
const maxEventBytes = 6_000_000;

/**
 * Feeds one function from one queue: consumes with manual acknowledgement, calls the function with AWS's event, one
 * call at a time, and acknowledges when it has succeeded. It goes on until it is stopped, whatever becomes of the
 * broker, the queue or the function.
 */
export class Poller {
  readonly #options: Required<PollerOptions>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #stopConsuming: (() => Promise<void>) | undefined;
  /** One delivery at a time, until the function has shown that it survives one that is new. */
  #careful = true;
  /** Calls in a row that failed with a single message. */
  #failures = 0;

  constructor(options: PollerOptions) {
    this.#options = { log: silentLog, maxHoldMs: 25 * 60_000, ...options };
  }

  /**
   * Starts and resolves when the first subscription stands, or when the broker or the queue is not there yet: then it
   * goes on trying.
   *
   * @throws WarrenError ERR_BROKER_REFUSED when user, password or vhost are wrong at start.
   */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(resolve, reject);
    });
  }

  /**
   * Takes no more messages, waits for the call in flight, acknowledges it and resolves. What was delivered but not yet
   * worked on goes back to the queue.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#stopConsuming?.();
    await this.#running;
  }

  async #run(started: () => void, refused: (error: unknown) => void): Promise<void> {
    const { log, mapping } = this.#options;
    const { signal } = this.#stopping;
    let tries = 0;
    while (!signal.aborted) {
      try {
        await this.#subscribe(() => {
          tries = 0;
          log.info({ queue: mapping.queue }, 'consuming');
          started();
        });
        if (!signal.aborted) log.warn({ queue: mapping.queue }, 'consumer ended; subscribing again');
      } catch (error) {
        const atStart = tries === 0 && this.#stopConsuming === undefined;
        if (atStart && error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED') {
          refused(error);
          return;
        }
        // Said once, not at every try.
        if (tries === 0)
          log.warn({ queue: mapping.queue, err: error }, 'not consuming; trying again until it works');
        started();
      }
      tries += 1;
      await pause(backoff(tries, 200, 5000), signal);
    }
    // Stopped before the first subscription stood: nobody is to wait for it.
    started();
  }

  /** One life of a channel: consumes until it closes, the broker cancels, or we are stopped. */
  async #subscribe(subscribed: () => void): Promise<void> {
    const { mapping, connection } = this.#options;
    const channel = await connection.channel();
    const deliveries = new Deliveries();
    let consumerTag = '';
    const consume = async (prefetch: number) => {
      await channel.prefetch(prefetch);
      // A null message: the broker cancelled the consumer, because the queue was deleted or its node went down.
      const onMessage = (message: ConsumeMessage | null) =>
        message ? deliveries.push(message) : deliveries.end();
      ({ consumerTag } = await channel.consume(mapping.queue, onMessage));
    };
    channel.on('close', () => deliveries.clear());
    this.#careful = true;
    try {
      await consume(1);
      this.#stopConsuming = async () => {
        deliveries.clear();
        // Closed already: then nothing is consumed any more, which is what is wanted.
        await channel.cancel(consumerTag).catch(() => undefined);
      };
      if (this.#stopping.signal.aborted) return;
      subscribed();
      for (;;) {
        const size = this.#careful ? 1 : mapping.batchSize;
        const batch = await deliveries.take({ size, windowMs: mapping.windowMs, bytes: maxEventBytes });
        if (!batch) return;
        const outcome = await this.#work(channel, batch);
        if (outcome === 'kept' || this.#stopping.signal.aborted) return;
        if (this.#careful && outcome === 'done' && !batch[0]?.fields.redelivered) {
          this.#careful = false;
          await channel.cancel(consumerTag);
          await consume(mapping.batchSize * 2);
        }
      }
    } finally {
      // Closing hands back what was not acknowledged. A channel that closed by itself has done so.
      await channel.close().catch(() => undefined);
    }
  }

  async #work(channel: Channel, batch: ConsumeMessage[]): Promise<Outcome> {
    const last = batch.at(-1) as ConsumeMessage;
    if (batch.length === 1 && encodedSize(last) > maxEventBytes) {
      await this.#setAside(last);
      channel.ack(last);
      return 'done';
    }
    const outcome = await this.#call(batch);
    if (outcome === 'done') {
      this.#failures = 0;
      // One call at a time on a channel: all that is older was acknowledged before.
      channel.ack(last, true);
    } else if (outcome === 'failed' && batch.length > 1) {
      for (const delivery of batch) {
        // Stopped: what was not called alone yet goes back.
        if (this.#stopping.signal.aborted) return 'kept';
        if ((await this.#work(channel, [delivery])) === 'kept') return 'kept';
      }
    } else if (outcome === 'failed') {
      // Alone, so it is the guilty one: the broker counts this delivery towards its limit, and not its neighbours'.
      this.#failures += 1;
      await pause(backoff(this.#failures, 50, 1000), this.#stopping.signal);
      channel.reject(last, true);
    }
    return outcome;
  }

  /** Calls the function, again and again while its host is away. */
  async #call(batch: ConsumeMessage[]): Promise<Outcome> {
    const { invoke, log, mapping, maxHoldMs } = this.#options;
    const { functionName, queue } = mapping;
    const event = toEvent(mapping, batch);
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    for (let tries = 1; ; tries += 1) {
      try {
        await invoke(event);
        log.info({ function: functionName, queue, messages: batch.length, ms: ms() }, 'batch done');
        return 'done';
      } catch (error) {
        const messageIds = batch.map(({ properties }) => properties.messageId);
        if (!(error instanceof HostAwayError)) {
          log.error({ function: functionName, queue, messageIds, ms: ms(), err: error }, 'batch failed');
          return 'failed';
        }
        if (tries === 1)
          log.warn({ function: functionName, queue, messageIds, err: error }, 'host away; keeping the batch');
        const wait = backoff(tries, 100, 30_000);
        if (ms() + wait > maxHoldMs) return 'kept';
        await pause(wait, this.#stopping.signal);
        if (this.#stopping.signal.aborted) return 'kept';
      }
    }
  }

  async #setAside(delivery: ConsumeMessage): Promise<void> {
    const { publisher, mapping, log } = this.#options;
    const [message] = readEvent(toEvent(mapping, [delivery]));
    if (!message) return;
    const error = new RejectedError(
      `body: expected at most 6 MB in one event, got ${delivery.content.length} bytes`,
    );
    await publisher.publish(
      failedCopy(message, { to: 'dead-letters', reason: 'rejected' }, error, new Date()),
    );
    log.warn({ queue: mapping.queue, messageId: message.messageId, err: error }, 'message set aside');
  }
}

/** Doubles from `first` to `most` milliseconds, with jitter, so that many pollers don't come back at the same moment. */
function backoff(tries: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** (tries - 1)) * (0.8 + Math.random() * 0.4);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Aborted: the pause is over, which is all that a stop asks of it.
  await pauseFor(ms, undefined, { signal }).catch(() => undefined);
}
