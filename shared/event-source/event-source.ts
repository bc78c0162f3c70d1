import type { Log } from '../log.ts';
import { BrokerConnection } from '../rabbitmq/connection.ts';
import { createPublisher } from '../rabbitmq/publisher.ts';
import type { Invoke } from './invoke.ts';
import { type Mapping, Poller } from './poller.ts';

export interface EventSourceOptions {
  /** AMQP URL of the broker; each mapping's vhost takes the place of the one it names, except for `/`. */
  url: string;
  mappings: readonly Mapping[];
  /** How to call the function of a mapping. */
  invoke: (mapping: Mapping) => Invoke;
  log: Log;
}

/** The pollers of several mappings, started and stopped together. */
export class EventSource {
  readonly #pollers: Poller[];
  readonly #open: { close(): Promise<void> }[] = [];

  constructor({ url, mappings, invoke, log }: EventSourceOptions) {
    this.#pollers = mappings.map((mapping) => {
      const at = withVhost(url, mapping.vhost);
      const name = `warren event source: ${mapping.functionName}`;
      const connection = new BrokerConnection({ url: at, name });
      const publisher = createPublisher({ url: at, name: `${name} (set aside)` });
      this.#open.push(connection, publisher);
      return new Poller({ mapping, connection, publisher, invoke: invoke(mapping), log });
    });
  }

  /** Starts all; throws as `Poller.start`, with what was started stopped again. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#pollers.map((poller) => poller.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Takes no more messages, finishes the calls in flight, acknowledges them and closes. */
  async stop(): Promise<void> {
    await Promise.all(this.#pollers.map((poller) => poller.stop()));
    await Promise.all(this.#open.map((each) => each.close()));
  }
}

function withVhost(url: string, vhost: string): string {
  if (vhost === '/') return url;
  const target = new URL(url);
  target.pathname = `/${encodeURIComponent(vhost)}`;
  return target.href;
}
