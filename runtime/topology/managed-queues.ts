import { z } from 'zod';
import { brokerUrls } from '../amqp/urls.ts';
import type { Binding } from './compile.ts';
import { managementApi, vhostInPath } from './management.ts';

// Functions, because making a schema takes time, and a cold start needs none.
const managedQueues = () =>
  z.array(
    z.object({
      name: z.string(),
      messages: z.number().default(0),
      messages_ready: z.number().default(0),
      messages_unacknowledged: z.number().default(0),
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
  bindings: Binding[];
}

const columns = 'name,messages,messages_ready,messages_unacknowledged';

/**
 * Creates a reader of the queues of a vhost through the management API.
 *
 * @param brokerUrl AMQP URL, which names the vhost.
 * @param timeoutMs time limit of each request in milliseconds.
 */
export function managedReader(
  managementUrl: string,
  brokerUrl: string,
  timeoutMs: number,
): () => Promise<Managed> {
  const api = managementApi(managementUrl, timeoutMs);
  const vhost = vhostInPath(brokerUrls(brokerUrl)[0] as string);
  return async () => {
    const [queues = [], bindings = []] = await Promise.all([
      api.get(`queues/${vhost}?columns=${columns}`, managedQueues()),
      api.get(`bindings/${vhost}`, managedBindings()),
    ]);
    return {
      inFlight: new Map(queues.map((each) => [each.name, each.messages_unacknowledged])),
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
  };
}
