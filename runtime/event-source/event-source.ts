import { BrokerConnection } from '../amqp/connection.ts';
import { Publisher } from '../amqp/publisher.ts';
import { brokerUrls } from '../amqp/urls.ts';
import { doneWithin } from '../base/deadline.ts';
import type { Log } from '../base/log.ts';
import type { Observer } from './call.ts';
import type { Invoke } from './invoke.ts';
import type { Mapping } from './mapping.ts';
import { Poller } from './poller.ts';

export interface EventSourceOptions {
  /**
   * AMQP URLs of the broker, as a list or separated by commas; each mapping's vhost takes the place of the one they name,
   * except for `/`.
   */
  url: string | readonly string[];
  mappings: readonly Mapping[];
  /** How to call the function of a mapping. */
  invoke: (mapping: Mapping) => Invoke;
  log: Log;
  observer?: Observer;
}

/**
 * The pollers of several mappings, started and stopped together. A mapping has a connection of its own, and on it a
 * channel for each call it may have in flight: an acknowledgement of several messages then never takes in those of
 * another call.
 */
export class EventSource {
  readonly #pollers: Poller[];
  readonly #open: { close(): Promise<void> }[] = [];

  constructor({ url, mappings, invoke, ...rest }: EventSourceOptions) {
    const urls = typeof url === 'string' ? brokerUrls(url) : url;
    this.#pollers = mappings.flatMap((mapping) => {
      const at = urls.map((each) => withVhost(each, mapping.vhost));
      const name = `warren event source: ${mapping.functionName}`;
      const connection = new BrokerConnection({ url: at, name });
      const publisher = new Publisher({ url: at, name: `${name} (set aside)` });
      this.#open.push(connection, publisher);
      const options = { mapping, connection, publisher, invoke: invoke(mapping), ...rest };
      return Array.from({ length: mapping.concurrency ?? 1 }, () => new Poller(options));
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

  /**
   * Takes no more messages, finishes the calls in flight, acknowledges them and closes.
   *
   * @param deadlineMs how long the calls in flight may take, in milliseconds, default for ever. What is not done then
   *   goes back to its queue.
   * @returns whether all was done.
   */
  async stop({ deadlineMs }: { deadlineMs?: number | undefined } = {}): Promise<boolean> {
    const stopped = Promise.all(this.#pollers.map((poller) => poller.stop()));
    const inTime = await doneWithin(stopped, deadlineMs);
    await Promise.all(this.#open.map((each) => each.close()));
    return inTime;
  }
}

function withVhost(url: string, vhost: string): string {
  // The connection reports an invalid URL without its password.
  if (vhost === '/' || !URL.canParse(url)) return url;
  const target = new URL(url);
  target.pathname = `/${encodeURIComponent(vhost)}`;
  return target.href;
}
