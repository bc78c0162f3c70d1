import type { ChannelModel } from 'amqplib';
import { z } from 'zod';
import { type ClientEvent, onClientEvent } from '../../runtime/amqp/client-events.ts';
import { Publisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { EventSource } from '../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../runtime/event-source/mapping.ts';
import { type Handler, inProcess } from '../../runtime/hosts/in-process.ts';
import type { RabbitMQEvent } from '../../runtime/messages/event.ts';
import { onCalls } from '../../runtime/messages/on-calls.ts';
import { unique } from './broker.ts';

export interface Served {
  /** Name of the method's queue, which exists. */
  queue: string;
  url: string;
  publisher: PublisherLike;
  /** Wraps the handler. */
  around?: (handler: Handler<RabbitMQEvent>) => Handler<RabbitMQEvent>;
}

/** A reply as its caller sees it. */
export interface Answer {
  type?: string;
  body: string;
}

/** Functions in this process that serve methods, and their callers. */
export class ServedCalls {
  readonly #cleanups: (() => unknown)[] = [];

  /** Ends all that was started since the last time. */
  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  publisherAt(url: string): Publisher {
    const publisher = new Publisher({ url, name: unique('replies') });
    this.#cleanups.push(() => publisher.close());
    return publisher;
  }

  /** Feeds a function that answers with what it is called with. Returns the name of its connection. */
  async serve({ queue, url, publisher, around = (handler) => handler }: Served): Promise<string> {
    const echo = onCalls({ schema: z.string(), publisher, log: silentLog }, async ({ body }) => body);
    const functionName = unique('fn');
    const load = async () => around(echo as Handler<RabbitMQEvent>);
    const invoke = inProcess({ functionName, load, timeoutMs: 10_000 });
    await this.#start({ url, functionName, queue, kind: 'rpc', concurrency: 10 }, invoke);
    return `warren event source: ${functionName}`;
  }

  /** Feeds a function from a queue that is not for calls. */
  async consume({ url, queue, invoke }: Pick<Served, 'url' | 'queue'> & { invoke: Invoke }): Promise<void> {
    await this.#start({ url, functionName: unique('fn'), queue }, invoke);
  }

  async #start(
    { url, ...given }: Pick<Served, 'url'> & Pick<Mapping, 'functionName' | 'queue' | 'kind' | 'concurrency'>,
    invoke: Invoke,
  ): Promise<void> {
    const mapping = { vhost: '/', arn: 'arn', batchSize: 1, windowMs: 0, ...given };
    const source = new EventSource({ url, mappings: [mapping], invoke: () => invoke, log: silentLog });
    await source.start();
    this.#cleanups.push(() => source.stop({ deadlineMs: 2000 }));
  }

  /**
   * A client of another make.
   *
   * @param replyTo default a queue that the broker names.
   */
  async caller(model: ChannelModel, replyTo?: string) {
    const channel = await model.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    const waiting = new Map<string, (answer: Answer) => void>();
    const answers: Answer[] = [];
    const isDirect = replyTo?.startsWith('amq.rabbitmq');
    await channel.consume(
      isDirect ? String(replyTo) : queue,
      (message) => {
        const { correlationId, type } = message?.properties ?? {};
        const answer = { ...(type && { type }), body: String(message?.content) };
        answers.push(answer);
        waiting.get(correlationId)?.(answer);
      },
      { noAck: true },
    );
    // Its connection may have ended in the test.
    this.#cleanups.push(() => channel.close().catch(() => undefined));
    return {
      /** All that have arrived. */
      answers,
      call: (method: string, body: string) => {
        const correlationId = unique('call');
        const answered = new Promise<Answer>((resolve) => waiting.set(correlationId, resolve));
        const properties = { correlationId, replyTo: replyTo ?? queue, messageId: correlationId };
        channel.publish('', method, Buffer.from(JSON.stringify(body)), properties);
        return answered;
      },
      leave: () => channel.deleteQueue(queue),
    };
  }

  /** The outcomes of the publishes of this process, from now on. */
  outcomes(): string[] {
    const seen: string[] = [];
    const listen = (event: ClientEvent) => event.kind === 'published' && seen.push(event.outcome);
    this.#cleanups.push(onClientEvent(listen));
    return seen;
  }
}
