import { parseAddresses } from '../../amqp/address.ts';
import { BrokerConnection } from '../../amqp/connection.ts';
import { brokerUrls } from '../../amqp/urls.ts';
import { type ManagementApi, managementApi, vhostInPath } from '../../topology/management.ts';
import type { Live } from '../api-live-types.ts';
import { type BrokerQueue, readCountedQueues, readManagedQueues } from './broker-queues.ts';
import type { FunctionMetrics } from './function-metrics.ts';
import { liveQueues } from './live-queues.ts';
import { QueueRates } from './queue-rates.ts';
import { liveScheduled } from './scheduled.ts';
import type { ServiceView } from './service-view.ts';

export interface LiveSourceOptions {
  /** AMQP URL of the broker. */
  url: string;
  /** URL of the management API with its login; without it, only the queues of the service and their counts are known. */
  managementUrl?: string | undefined;
  service?: ServiceView | undefined;
  metrics: FunctionMetrics;
  /** Number of dead letters by the queue in which they failed. */
  deadLetters: () => ReadonlyMap<string, number>;
}

/** Time limit of a request to the management API in milliseconds. */
const timeoutMs = 5000;

/** Reads the queues and functions as they are now. */
export class LiveSource {
  readonly #options: LiveSourceOptions;
  readonly #connection: BrokerConnection;
  readonly #rates = new QueueRates();
  readonly api: ManagementApi | undefined;
  /** The virtual host, as a path of the management API contains it. */
  readonly vhost: string;

  constructor(options: LiveSourceOptions) {
    const { url, managementUrl } = options;
    this.#options = options;
    this.#connection = new BrokerConnection({ url, name: 'warren board' });
    this.api = managementUrl === undefined ? undefined : managementApi(managementUrl, timeoutMs);
    this.vhost = vhostInPath(brokerUrls(url)[0] ?? '');
  }

  get service(): ServiceView | undefined {
    return this.#options.service;
  }

  /** It does not throw: `problem` names what is missing. */
  async read(): Promise<Live> {
    const { service, metrics, deadLetters } = this.#options;
    const [queues, functions] = await Promise.all([this.#queues(), metrics.read()]);
    const all = new Map(this.#rates.add(queues.found).map((queue) => [queue.name, queue]));
    const context = {
      functions: service?.functions ?? new Map(),
      deadLetters: deadLetters(),
      topology: service?.topology,
      keys: functions.keys,
      now: Date.now(),
    };
    const problems = [...queues.problems, ...functions.problems];
    return {
      at: new Date(context.now).toISOString(),
      queues: liveQueues(all, context),
      functions: functions.functions,
      scheduled: liveScheduled(all),
      problem: problems.length === 0 ? null : problems.join('; '),
    };
  }

  /** Product, version and address of the broker, without credentials. It does not throw. */
  async broker(): Promise<string> {
    const [address] = parseAddresses(this.#options.url);
    const at = address ? `${address.host}:${address.port}` : '';
    try {
      const channel = await this.#connection.channel();
      const { product, version } = channel.connection.serverProperties;
      await channel.close();
      return `${product} ${version} at ${at}`;
    } catch {
      return `unavailable at ${at}`;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #queues(): Promise<{ found: BrokerQueue[]; problems: string[] }> {
    const problems: string[] = [];
    if (this.api) {
      try {
        return { found: await readManagedQueues(this.api, this.vhost), problems };
      } catch (error) {
        problems.push(messageOf(error));
      }
    } else
      problems.push(
        'AMQP_MANAGEMENT_URL is not set: messages in flight and ages are unknown, and rates are estimates from the counts',
      );
    const { queues = [], delays } = this.#options.service?.topology ?? {};
    const names = [...queues, ...(delays?.queues ?? [])].map(({ name }) => name);
    try {
      return { found: await readCountedQueues(this.#connection, names), problems };
    } catch (error) {
      return { found: [], problems: [...problems, messageOf(error)] };
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
