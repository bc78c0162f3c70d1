import * as z from 'zod';
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
  /** Messages that expired and that their target does not take; null without the management API. */
  expired: number | null;
  /** Returned messages that wait in the queue for their retry (RabbitMQ 4.3 and later). */
  delayed: number;
  /** Messages that came and that went since the start of the node; null if the broker does not report them. */
  totals: { in: number; out: number } | null;
  /** Messages per second; null if the broker does not report them. */
  rateIn: number | null;
  rateOut: number | null;
  /** When the oldest message was published, in milliseconds since 1970; null if its publisher did not write that. */
  oldestAt: number | null;
}

const rate = z.object({ rate: z.number() }).partial().optional();
const total = z.number().optional();

/** What the API counts of a queue. A message goes by an acknowledgement, or when it is delivered without one. */
const gone = ['ack', 'deliver_no_ack', 'get_no_ack'] as const;

const managed = () =>
  z.array(
    z.object({
      name: z.string(),
      messages: z.number().default(0),
      messages_ready: z.number().default(0),
      messages_unacknowledged: z.number().default(0),
      messages_delayed: z.number().default(0),
      consumers: z.number().default(0),
      head_message_timestamp: z.number().nullish().catch(null),
      message_stats: z
        .object({
          publish: total,
          ack: total,
          deliver_no_ack: total,
          get_no_ack: total,
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
  'messages',
  'messages_ready',
  'messages_unacknowledged',
  'messages_delayed',
  'consumers',
  'head_message_timestamp',
  ...['publish', ...gone].flatMap((each) => [`message_stats.${each}`, `message_stats.${each}_details.rate`]),
].join(',');

/**
 * Reads all queues of a virtual host through the management API, whose numbers are up to 5 s old.
 *
 * @param vhost as a path of the API contains it.
 * @throws as the methods of `managementApi`.
 */
export async function readManagedQueues(api: ManagementApi, vhost: string): Promise<BrokerQueue[]> {
  const queues = (await api.get(`queues/${vhost}?columns=${columns}`, managed())) ?? [];
  // Before the first message, the API has no numbers of a queue.
  const areCounted = queues.some((queue) => queue.message_stats !== undefined);
  return queues.map(({ name, consumers, message_stats: stats = areCounted ? {} : undefined, ...queue }) => ({
    name,
    waiting: queue.messages_ready,
    inFlight: queue.messages_unacknowledged,
    consumers,
    expired: Math.max(0, queue.messages - queue.messages_ready - queue.messages_unacknowledged),
    delayed: queue.messages_delayed,
    ...numbersOf(stats),
    oldestAt: queue.head_message_timestamp ? queue.head_message_timestamp * 1000 : null,
  }));
}

type Stats = z.infer<ReturnType<typeof managed>>[number]['message_stats'];

/** The totals, and the rates unless the broker is set to report none. */
function numbersOf(stats: Stats): Pick<BrokerQueue, 'totals' | 'rateIn' | 'rateOut'> {
  if (!stats) return { totals: null, rateIn: null, rateOut: null };
  const sum = (numbers: readonly (number | undefined)[]) =>
    numbers.reduce<number>((all, each) => all + (each ?? 0), 0);
  const rateOf = (each: 'publish' | (typeof gone)[number]) =>
    stats[each] === undefined ? 0 : stats[`${each}_details`]?.rate;
  const out = gone.map(rateOf);
  return {
    totals: { in: stats.publish ?? 0, out: sum(gone.map((each) => stats[each])) },
    rateIn: rateOf('publish') ?? null,
    rateOut: out.includes(undefined) ? null : sum(out),
  };
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
    expired: null,
    delayed: 0,
    totals: null,
    rateIn: null,
    rateOut: null,
    oldestAt: null,
  }));
}
