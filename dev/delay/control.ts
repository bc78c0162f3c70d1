import { setTimeout as pause } from 'node:timers/promises';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';

/** How late a message of the control was. */
export interface Sample {
  /** When it was due, in milliseconds since 1970. */
  due: number;
  lateMs: number;
}

const [waitingQueue, controlQueue] = ['control.waiting', 'control'] as const;
const waitsMs = 250;
const everyMs = 100;

/**
 * A level of its own, through which one message passes at a time. It shows how long the machine takes to hand over a message when nothing
 * stands in its way: what delays these messages does not come from the ladder.
 */
export class Control {
  readonly samples: Sample[] = [];
  readonly #connection: BrokerConnection;
  readonly #publisher: Publisher;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(url: string) {
    this.#connection = new BrokerConnection({ url, name: 'delay course control' });
    this.#publisher = new Publisher({ url, name: 'delay course control', tries: 1 });
  }

  async start(): Promise<void> {
    const channel = await this.#connection.channel();
    await channel.assertQueue(controlQueue, { arguments: { 'x-queue-type': 'quorum' } });
    const waits = {
      'x-queue-type': 'quorum',
      'x-message-ttl': waitsMs,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': controlQueue,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    };
    await channel.assertQueue(waitingQueue, { arguments: waits });
    await channel.close();
    const untilStopped = async (repeat: () => Promise<unknown>) => {
      // The broker is killed meanwhile.
      while (!this.#stopped) await Promise.all([repeat().catch(() => undefined), pause(everyMs)]);
    };
    this.#running = Promise.all([untilStopped(() => this.#send()), untilStopped(() => this.#receive())]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#connection.close(), this.#publisher.close()]);
    await this.#running;
  }

  /** The longest lateness in a span of time, 0 if no message was due in it. */
  worstIn(from: number, until: number): number {
    const within = this.samples.filter(({ due }) => due >= from && due <= until);
    return Math.max(0, ...within.map(({ lateMs }) => lateMs));
  }

  async #send(): Promise<void> {
    const body = { due: Date.now() + waitsMs };
    await this.#publisher.publish({ exchange: '', routingKey: waitingQueue, body });
  }

  /** Resolves when the channel has closed. */
  async #receive(): Promise<void> {
    const channel = await this.#connection.channel();
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    await channel.consume(controlQueue, (message) => {
      if (!message) return;
      const { due } = JSON.parse(message.content.toString()) as { due: number };
      this.samples.push({ due, lateMs: Date.now() - due });
      channel.ack(message);
    });
    await closed;
  }
}
