import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError, UnavailableError, WarrenError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { toEvent } from '../messages/event.ts';
import { readEvent } from '../messages/received.ts';
import { sendToDeadLetters } from '../messages/republish.ts';
import { Acknowledger } from './acknowledger.ts';
import { backoff, pause } from './backoff.ts';
import { callFunction, type Observer, type Outcome } from './call.ts';
import { type Batch, Deliveries, encodedSize } from './delivery-buffer.ts';
import { compileFilter } from './filter.ts';
import type { Invoke } from './invoke.ts';
import type { Mapping } from './mapping.ts';
import { Prefetch } from './prefetch.ts';

export interface PollerOptions {
  mapping: Mapping;
  /** Consumes; never publishes. */
  connection: Pick<BrokerConnection, 'channel' | 'discard' | 'addresses'>;
  invoke: Invoke;
  /** Takes messages that no call can carry to the dead letters. */
  publisher: PublisherLike;
  log?: Log;
  observer?: Observer;
  /** Milliseconds for which a delivery may be held, default 25 minutes: RabbitMQ closes the channel at 30. */
  maxHoldMs?: number;
  /** Milliseconds that the broker may take to answer when we subscribe, default 10000; after that, a new connection. */
  answerMs?: number;
}

/** A channel as long as it lives. */
interface Subscription {
  channel: Channel;
  acknowledger: Acknowledger;
  /** Aborted when it has closed, and the broker has its deliveries again. */
  closed: AbortSignal;
  /** Aborted by that, and when we are stopped. */
  ended: AbortSignal;
}

/** Lambda takes 6 MB in one call. */
const maxEventBytes = 6_000_000;

/**
 * Feeds one function from one queue: consumes with manual acknowledgement, calls the function with AWS's event, one
 * call at a time, and acknowledges when it has succeeded. It goes on until it is stopped, whatever becomes of the
 * broker, the queue or the function.
 */
export class Poller {
  readonly #options: Required<PollerOptions>;
  readonly #matches: (content: Buffer) => boolean;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #stopConsuming: (() => Promise<void>) | undefined;
  /** One delivery at a time, until the function has shown that it survives one that is new. */
  #careful = true;
  /** Calls in a row that failed with a single message. */
  #failures = 0;

  constructor(options: PollerOptions) {
    this.#options = { log: silentLog, observer: {}, maxHoldMs: 25 * 60_000, answerMs: 10_000, ...options };
    this.#matches = compileFilter(options.mapping.filterPatterns ?? []);
  }

  /**
   * Starts and resolves when the first subscription stands, or when the broker or the queue is not there yet at any of its
   * addresses: then it goes on trying.
   *
   * @throws WarrenError ERR_BROKER_REFUSED when user, password or vhost are wrong at start, ERR_CONFIG when the URL is; where
   *   there are several, once each was tried and none works.
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
    const { log, mapping, connection } = this.#options;
    const { signal } = this.#stopping;
    let tries = 0;
    let atStart = true;
    let refusal: unknown;
    // Each kind of failure is said once, and not at every try.
    const said = new Set<unknown>();
    while (!signal.aborted) {
      try {
        await this.#subscribe(() => {
          tries = 0;
          atStart = false;
          said.clear();
          log.info({ queue: mapping.queue }, 'consuming');
          started();
        });
        if (!signal.aborted) log.warn({ queue: mapping.queue }, 'consumer ended; subscribing again');
      } catch (error) {
        // It let us in, and has no such queue, say: others of its addresses don't matter.
        const letIn = !(error instanceof WarrenError);
        if (letIn) refusal = undefined;
        else if (isFinal(error)) refusal ??= error;
        const triedAll = letIn || tries + 1 >= connection.addresses;
        if (atStart && triedAll && refusal !== undefined) {
          refused(refusal);
          return;
        }
        const { code } = error as { code?: unknown };
        if (!said.has(code))
          log.warn({ queue: mapping.queue, err: error }, 'not consuming; trying again until it works');
        said.add(code);
        if (triedAll) {
          atStart = false;
          started();
        }
      }
      tries += 1;
      await pause(backoff(tries, 200, 5000), signal);
    }
    // Stopped before the first subscription stood: nobody is to wait for it.
    started();
  }

  /** One life of a channel: consumes until it closes, the broker cancels, or we are stopped. */
  async #subscribe(subscribed: () => void): Promise<void> {
    const { mapping, connection, observer } = this.#options;
    const { signal } = this.#stopping;
    const channel = await connection.channel();
    const deliveries = new Deliveries();
    const acknowledger = new Acknowledger(channel);
    const closed = new AbortController();
    channel.on('close', () => {
      closed.abort(new UnavailableError('broker', 'the channel closed'));
      deliveries.clear();
    });
    const ended = AbortSignal.any([closed.signal, signal]);
    const subscription = { channel, acknowledger, closed: closed.signal, ended };
    const inTime = <T>(answer: Promise<T>) => this.#inTime(subscription, answer);
    let consumerTag = '';
    let counted = false;
    const prefetch = new Prefetch(mapping.batchSize, mapping.concurrency);
    const consume = async (count: number) => {
      await inTime(channel.prefetch(count));
      // A null message: the broker cancelled the consumer, because the queue was deleted or its node went down.
      const onMessage = (message: ConsumeMessage | null) => {
        if (!message) deliveries.end();
        else if (this.#matches(message.content)) deliveries.push(message);
        else {
          channel.ack(message);
          observer.filtered?.(mapping);
        }
      };
      ({ consumerTag } = await inTime(channel.consume(mapping.queue, onMessage)));
    };
    this.#careful = true;
    try {
      await consume(1);
      this.#stopConsuming = async () => {
        deliveries.clear();
        // Closed already: then nothing is consumed any more, which is what is wanted.
        await inTime(channel.cancel(consumerTag)).catch(() => undefined);
      };
      if (signal.aborted) return;
      observer.consumers?.(mapping, 1);
      counted = true;
      subscribed();
      for (;;) {
        // No more than the broker gives at a time: a batch that can't become full would wait for its window.
        const size = this.#careful ? 1 : Math.min(mapping.batchSize, prefetch.value);
        const batch = await deliveries.take({ size, windowMs: mapping.windowMs, bytes: maxEventBytes });
        if (!batch) return;
        const startedAt = performance.now();
        const outcome = await this.#work(subscription, batch);
        if (outcome === 'kept' || ended.aborted) return;
        if (outcome !== 'done') continue;
        const bytes = batch.deliveries.reduce((sum, { content }) => sum + content.length, 0);
        const changed = prefetch.learn(batch.deliveries.length, performance.now() - startedAt, bytes);
        const opensUp = this.#careful && !batch.deliveries[0]?.fields.redelivered;
        if (opensUp) this.#careful = false;
        if (opensUp || (changed && !this.#careful)) {
          await inTime(channel.cancel(consumerTag));
          await consume(prefetch.value);
        }
      }
    } finally {
      if (counted) observer.consumers?.(mapping, -1);
      acknowledger.flush();
      // Closing hands back what was not acknowledged. A channel that closed by itself has done so.
      await inTime(channel.close()).catch(() => undefined);
    }
  }

  /**
   * A broker that is starting may leave a request without an answer for ever: its queue was not ready for it. And amqplib
   * leaves a close without one where the connection ends before it.
   */
  async #inTime<T>({ channel, closed }: Subscription, answer: Promise<T>): Promise<T> {
    const { connection, answerMs } = this.#options;
    // Ends the connection, and so whatever waits on it.
    const timer = setTimeout(() => connection.discard(channel), answerMs);
    let giveUp: () => void = () => undefined;
    const gone = new Promise<never>((_, reject) => {
      // One turn later: where the request is why the channel closed, its own error says more.
      giveUp = () => setImmediate(reject, closed.reason);
      closed.addEventListener('abort', giveUp);
    });
    try {
      return await Promise.race([answer, gone]);
    } finally {
      clearTimeout(timer);
      closed.removeEventListener('abort', giveUp);
    }
  }

  async #work(subscription: Subscription, batch: Batch): Promise<Outcome> {
    const { channel, acknowledger, closed, ended } = subscription;
    const { deliveries, bytes, since } = batch;
    const last = deliveries.at(-1) as ConsumeMessage;
    if (bytes > maxEventBytes) {
      await this.#setAside(last);
      acknowledger.done(last);
      return 'done';
    }
    const outcome = await callFunction(this.#options, batch, ended);
    if (outcome === 'done') {
      this.#failures = 0;
      // One call at a time on a channel, so that all that is older is done as well.
      acknowledger.done(last);
    } else if (outcome === 'failed' && deliveries.length > 1) {
      for (const delivery of deliveries) {
        // Stopped, or the broker has them again: what was not called alone yet goes back.
        if (ended.aborted) return 'kept';
        const one = { deliveries: [delivery], bytes: encodedSize(delivery), since };
        const alone = await this.#work(subscription, one);
        if (alone === 'kept') return 'kept';
      }
    } else if (outcome === 'failed') {
      // Alone, so it is the guilty one: the broker counts this delivery towards its limit, and not its neighbours'.
      this.#failures += 1;
      await pause(backoff(this.#failures, 50, 1000), ended);
      if (closed.aborted) return 'kept';
      channel.reject(last, true);
    }
    return outcome;
  }

  async #setAside(delivery: ConsumeMessage): Promise<void> {
    const { publisher, mapping, log, observer } = this.#options;
    const [message] = readEvent(toEvent(mapping, [delivery]));
    if (!message) return;
    const error = new RejectedError(
      `body: expected at most 6 MB in one event, got ${delivery.content.length} bytes`,
    );
    await sendToDeadLetters(publisher, message, error);
    log.warn({ queue: mapping.queue, messageId: message.messageId, err: error }, 'message set aside');
    observer.setAside?.(mapping);
  }
}

/** Whether an error is one that no waiting mends: somebody has to change a setting. */
function isFinal(error: unknown): boolean {
  return error instanceof WarrenError && ['ERR_BROKER_REFUSED', 'ERR_CONFIG'].includes(error.code);
}
