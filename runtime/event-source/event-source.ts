import { addressProblem, parseAddress } from '../amqp/address.ts';
import { BrokerConnection, type ConnectionOptions } from '../amqp/connection.ts';
import { Publisher } from '../amqp/publisher.ts';
import { brokerUrls, urlInVhost } from '../amqp/urls.ts';
import { doneWithin } from '../base/deadline.ts';
import type { Log } from '../base/log.ts';
import type { Host, StopOptions } from '../hosts/host.ts';
import { Arrivals } from './arrivals.ts';
import { heldBytes, warnOfSmallBatches } from './held-bytes.ts';
import type { Invoke } from './invoke.ts';
import { TokensSeen } from './limited/tokens-seen.ts';
import type { Mapping } from './mapping.ts';
import type { Observer } from './observer.ts';
import { isOrdered } from './ordered/ordered-options.ts';
import { OrderedPoller } from './ordered/ordered-poller.ts';
import { Poller } from './poller.ts';
import { QueueDelay } from './queue-delay.ts';

export interface EventSourceOptions {
  /** AMQP URLs of the broker, as a list or separated by commas. A mapping's vhost, unless it is `/`, replaces the URL's. */
  url: string | readonly string[];
  /** Reads the URLs again after the broker refused the login; default they never change. */
  renewUrl?: ConnectionOptions['renewUrl'];
  mappings: readonly Mapping[];
  /** How to call the function of a mapping. */
  invoke: (mapping: Mapping) => Invoke;
  log: Log;
  observer?: Observer;
  /** Seconds between heartbeats, default 10. A process that computes for longer sends none and loses its connections. */
  heartbeat?: number | undefined;
  /** Ends the calls that are in flight at the deadline of `stop`, if possible: the broker delivers their messages again. */
  late?: (() => Promise<void>) | undefined;
}

/** Milliseconds in which calls that were ended are settled, such as by an answer to their caller. */
const settleMs = 2000;

/**
 * The pollers of several mappings, started and stopped together. Each mapping has its own connection, with a channel for each
 * concurrent call, so that an acknowledgement of several messages never includes those of another call.
 */
export class EventSource implements Host {
  readonly #pollers: (Poller | OrderedPoller)[];
  readonly #open: { close(): Promise<void> }[] = [];
  readonly #late: (() => Promise<void>) | undefined;

  constructor({ url, renewUrl, mappings, invoke, heartbeat = 10, late, ...rest }: EventSourceOptions) {
    this.#late = late;
    const arrivals = new Arrivals();
    this.#open.push(arrivals);
    const subscriptions = mappings.reduce((sum, mapping) => sum + subscriptionsOf(mapping), 0);
    this.#pollers = atBroker(url, mappings).flatMap((mapping): (Poller | OrderedPoller)[] => {
      const at = {
        url: inVhost(url, mapping.vhost),
        renewUrl: renewUrl && (async () => inVhost(await renewUrl(), mapping.vhost)),
        heartbeat,
      };
      const name = `warren event source: ${mapping.functionName}`;
      const connection = new BrokerConnection({ ...at, name });
      const publisher = new Publisher({ ...at, name: `${name} (dead letters)` });
      this.#open.push(connection, publisher);
      const queueDelay = new QueueDelay(mapping, rest.log);
      const call = invoke(mapping);
      const shared = { connection, publisher, invoke: call, arrivals, ...rest };
      if (isOrdered(mapping)) {
        const held = heldBytes(subscriptions, mapping.order.partitions);
        return [new OrderedPoller({ ...shared, mapping, held })];
      }
      const held = heldBytes(subscriptions, mapping.concurrency);
      warnOfSmallBatches(rest.log, mapping, held);
      const options = { ...shared, mapping, queueDelay, held, seen: new TokensSeen() };
      return Array.from({ length: pollersOf(mapping) }, () => new Poller(options));
    });
  }

  /** Whether messages of queues with `orderBy` or `perKey` are held for their retries or limits. */
  get awaitsTurns(): boolean {
    return this.#pollers.some((poller) => poller instanceof OrderedPoller && poller.awaitsTurns);
  }

  /** Starts all pollers. If one fails, it stops the others and throws the error of `Poller.start`. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#pollers.map((poller) => poller.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Takes no more messages, waits for the calls in flight, acknowledges their messages and closes the connections. A message
   * that is not done by the deadline goes back to its queue.
   */
  async stop({ deadlineMs }: StopOptions = {}): Promise<boolean> {
    const stopped = Promise.all(this.#pollers.map((poller) => poller.stop()));
    const inTime = await doneWithin(stopped, deadlineMs);
    if (!inTime && this.#late) {
      await this.#late();
      await doneWithin(stopped, settleMs);
    }
    await Promise.all(this.#open.map((each) => each.close()));
    return inTime;
  }
}

/** One poller makes all calls of an RPC queue, so that those behind a slow one do not wait for it. */
const pollersOf = ({ kind, concurrency = 1 }: Mapping): number => (kind === 'rpc' ? 1 : concurrency);

const subscriptionsOf = (mapping: Mapping): number => mapping.order?.partitions ?? pollersOf(mapping);

/**
 * The mappings with the vhosts that they read from: one without a vhost of its own reads from that of the URL, and the event
 * names it, so that copies and replies stay there.
 */
export function atBroker(url: string | readonly string[], mappings: readonly Mapping[]): Mapping[] {
  // The connection reports a missing or invalid URL.
  const [first = ''] = typeof url === 'string' ? brokerUrls(url) : url;
  const own = addressProblem(first) === undefined ? parseAddress(first).vhost : '/';
  return mappings.map((mapping) => (mapping.vhost === '/' ? { ...mapping, vhost: own } : mapping));
}

function inVhost(url: string | readonly string[], vhost: string): readonly string[] {
  const urls = typeof url === 'string' ? brokerUrls(url) : url;
  return vhost === '/' ? urls : urls.map((each) => urlInVhost(each, vhost));
}
