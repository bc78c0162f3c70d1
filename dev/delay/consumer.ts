import { setTimeout as pause } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';
import { copyHeader } from '../../runtime/amqp/headers.ts';
import { delayLevelHeader, delayLevels } from '../../runtime/topology/delay-names.ts';

export interface Arrival {
  id: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Whether the broker delivered it before, and did not get the acknowledgement. */
  redelivered: boolean;
  /** Identifies the publish, with all its tries. */
  publish: string;
  /** The levels on which it waited, in descending order. */
  levels: number[];
}

const levels = Array.from({ length: delayLevels }, (_, level) => level).reverse();

/** Notes when messages arrive, and consumes again after the broker was killed. */
export class Consumer {
  readonly arrivals: Arrival[] = [];
  readonly #ids = new Set<string>();
  readonly #connection: BrokerConnection;
  readonly #queues: readonly string[];
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(url: string, queues: readonly string[]) {
    this.#connection = new BrokerConnection({ url, name: 'delay course arrivals' });
    this.#queues = queues;
  }

  /** Number of messages that have arrived. */
  get arrived(): number {
    return this.#ids.size;
  }

  start(): void {
    this.#running = this.#repeat();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#connection.close();
    await this.#running;
  }

  async #repeat(): Promise<void> {
    while (!this.#stopped) {
      const ended = this.#consume().catch(() => undefined);
      await ended;
      await pause(100);
    }
  }

  /** Resolves when the channel has closed. */
  async #consume(): Promise<void> {
    const channel = await this.#connection.channel();
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    await channel.prefetch(1000);
    await Promise.all(
      this.#queues.map((queue) => channel.consume(queue, (message) => this.#take(channel, message))),
    );
    await closed;
  }

  #take(channel: Channel, message: Parameters<Parameters<Channel['consume']>[1]>[0]): void {
    if (!message) return;
    const { fields, properties } = message;
    const { messageId, headers = {} } = properties;
    this.#ids.add(String(messageId));
    this.arrivals.push({
      id: String(messageId),
      at: Date.now(),
      redelivered: fields.redelivered,
      publish: String(headers[copyHeader]),
      levels: levels.filter((level) => headers[delayLevelHeader(level)] === true),
    });
    channel.ack(message);
  }
}
