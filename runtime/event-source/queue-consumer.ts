import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage } from 'amqplib';
import { plainConsume } from '../amqp/plain-consume.ts';

export interface QueueConsumerOptions {
  /** Waits for an answer of the broker, with a limit. */
  answer<T>(answer: Promise<T>): Promise<T>;
  received(message: ConsumeMessage): void;
  /** The broker has canceled it: the queue was deleted, or its node went down. */
  ended(): void;
}

/** The consumer of a channel, which is canceled and started again. */
export class QueueConsumer {
  readonly #channel: Channel;
  readonly #options: QueueConsumerOptions;
  #tag: string | undefined;

  constructor(channel: Channel, options: QueueConsumerOptions) {
    this.#channel = channel;
    this.#options = options;
  }

  /** Its tag, which its deliveries have; undefined while it is not started. */
  get tag(): string | undefined {
    return this.#tag;
  }

  /** Starts it. The messages that it held before do not count toward its prefetch. */
  async start(queue: string, prefetch: number): Promise<void> {
    const { answer, received, ended } = this.#options;
    await answer(this.#channel.prefetch(prefetch));
    // Its own tag, so that it can be canceled before the answer, when a burst of messages comes with it or the poller is stopped.
    const consumerTag = randomUUID();
    this.#tag = consumerTag;
    const consuming = plainConsume(this.#channel)(
      queue,
      (message) => (message ? received(message) : ended()),
      { consumerTag },
    );
    await answer(consuming);
  }

  /** Cancels it, if it was started. Messages that it has got stay in hand. */
  async cancel(): Promise<void> {
    const tag = this.#tag;
    this.#tag = undefined;
    if (tag !== undefined) await this.#options.answer(this.#channel.cancel(tag));
  }
}
