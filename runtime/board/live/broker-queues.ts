import { z } from 'zod';
import type { BrokerConnection } from '../../amqp/connection.ts';
import { countQueues } from '../../topology/count-queues.ts';
import type { ManagementApi } from '../../topology/management.ts';

/** A queue now, as the broker reports it. */
export interface BrokerQueue {
  name: string;
  waiting: number;
  /** null without the management API, as the next ones. */
  inFlight: number | null;
  consumers: number;
  /** Messages per second. */
  rateIn: number | null;
  rateOut: number | null;
  /** When the oldest message was published, in milliseconds since 1970; null if its publisher did not write that. */
  oldestAt: number | null;
}

const rate = z.object({ rate: z.number().default(0) }).optional();

const managed = () =>
  z.array(
    z.object({
      name: z.string(),
      messages_ready: z.number().default(0),
      messages_unacknowledged: z.number().default(0),
      consumers: z.number().default(0),
      head_message_timestamp: z.number().nullish().catch(null),
      message_stats: z
        .object({
          publish_details: rate,
          ack_details: rate,
          deliver_no_ack_details: rate,
          get_no_ack_details: rate,
        })
        .optional(),
    }),
  );

const columns = [
  'name',
  'messages_ready',
  'messages_unacknowledged',
  'consumers',
  'head_message_timestamp',
  'message_stats.publish_details.rate',
  'message_stats.ack_details.rate',
  'message_stats.deliver_no_ack_details.rate',
  'message_stats.get_no_ack_details.rate',
].join(',');

/**
 * Reads all queues of a virtual host through the management API, whose numbers are up to 5 s old.
 *
 * @param vhost as a path of the API contains it.
 * @throws as the methods of `managementApi`.
 */
export async function readManagedQueues(api: ManagementApi, vhost: string): Promise<BrokerQueue[]> {
  const queues = (await api.get(`queues/${vhost}?columns=${columns}`, managed())) ?? [];
  return queues.map(({ name, consumers, message_stats: stats, ...queue }) => ({
    name,
    waiting: queue.messages_ready,
    inFlight: queue.messages_unacknowledged,
    consumers,
    rateIn: stats?.publish_details?.rate ?? 0,
    rateOut: [stats?.ack_details, stats?.deliver_no_ack_details, stats?.get_no_ack_details].reduce(
      (sum, each) => sum + (each?.rate ?? 0),
      0,
    ),
    oldestAt: queue.head_message_timestamp ? queue.head_message_timestamp * 1000 : null,
  }));
}

/**
 * Counts the messages of queues over AMQP. Queues that do not exist are left out.
 *
 * @throws as `countQueues`.
 */
export async function readCountedQueues(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<BrokerQueue[]> {
  const counts = await countQueues(
    connection,
    names.map((name) => ({ name })),
  );
  return [...counts].map(([name, { messageCount, consumerCount }]) => ({
    name,
    waiting: messageCount,
    inFlight: null,
    consumers: consumerCount,
    rateIn: null,
    rateOut: null,
    oldestAt: null,
  }));
}
