import * as z from 'zod';
import { brokerUrls } from '../amqp/urls.ts';
import { WarrenError } from '../base/errors.ts';
import { Renewed } from '../base/lazy.ts';
import type { Binding } from './compile.ts';
import { type ManagementApi, managementApi, vhostInPath } from './management.ts';

// Functions, because making a schema takes time, and a cold start needs none.
const managedQueues = () =>
  z.array(
    z.object({
      name: z.string(),
      messages: z.number().default(0),
      messages_ready: z.number().default(0),
      messages_unacknowledged: z.number().default(0),
      messages_delayed: z.number().default(0),
    }),
  );
const managedBindings = () =>
  z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      destination_type: z.string(),
      routing_key: z.string(),
    }),
  );

/** The part of the state that only the management API reports. */
export interface Managed {
  inFlight: Map<string, number>;
  /** By queue, the messages that have expired there and have not reached their target. */
  expired: Map<string, number>;
  /** By queue, the returned messages that wait there for their retry (RabbitMQ 4.3 and later). */
  delayed: Map<string, number>;
  bindings: Binding[];
}

const columns = 'name,messages,messages_ready,messages_unacknowledged,messages_delayed';

export interface ManagedOptions {
  managementUrl: string;
  /** Reads `managementUrl` again after the API refused the login; default it never changes. */
  renewManagementUrl?: (() => Promise<string | undefined>) | undefined;
  /** AMQP URL, which names the vhost. */
  brokerUrl: string;
  /** Time limit of each request in milliseconds. */
  timeoutMs: number;
}

/** Creates a reader of the queues of a vhost through the management API. */
export function managedReader(options: ManagedOptions): () => Promise<Managed> {
  const { managementUrl, brokerUrl, timeoutMs, renewManagementUrl = async () => undefined } = options;
  const apis = new Renewed({
    values: managementUrl,
    build: (url) => managementApi(url, timeoutMs),
    reread: async () => (await renewManagementUrl()) ?? managementUrl,
    refused: (error) => error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED',
  });
  const vhost = vhostInPath(brokerUrls(brokerUrl)[0] as string);
  return () => apis.use((api) => readManaged(api, vhost));
}

async function readManaged(api: ManagementApi, vhost: string): Promise<Managed> {
  const [queues = [], bindings = []] = await Promise.all([
    api.get(`queues/${vhost}?columns=${columns}`, managedQueues()),
    api.get(`bindings/${vhost}`, managedBindings()),
  ]);
  return {
    inFlight: new Map(queues.map((each) => [each.name, each.messages_unacknowledged])),
    delayed: new Map(queues.map((each) => [each.name, each.messages_delayed])),
    expired: new Map(
      queues.map(({ name, messages, messages_ready: ready, messages_unacknowledged: unacknowledged }) => [
        name,
        Math.max(0, messages - ready - unacknowledged),
      ]),
    ),
    // Every queue is bound to the default exchange, whose name is empty.
    bindings: bindings
      .filter(({ source, destination_type }) => source !== '' && destination_type === 'queue')
      .map(({ source: exchange, destination: queue, routing_key: routingKey }) => {
        return { queue, exchange, routingKey };
      }),
  };
}
