import { defaultMessageBytes, type QueueKind, type QueueSettings } from './names.ts';
import { defaultPartitions, orderedMessageBytes } from './order.ts';
import { type Section, topologyError } from './schema.ts';

/** Calls of an RPC queue at a time: a call that hangs must not keep the others waiting. */
const defaultCalls = 10;

/** The settings of each queue. */
export function queueSettings({ queues, retryDelays }: Section): Record<string, QueueSettings> {
  return Object.fromEntries(
    Object.entries(queues).map(
      ([queue, { kind, maxAge, redeliveries, singleActiveConsumer, orderBy, perKey, ...own }]) => {
        const { of: by = orderBy, ...share } = perKey ?? {};
        const { partitions = defaultPartitions, deliveryLimit, limit: rate } = own;
        const limit = deliveryLimit === undefined ? {} : { deliveryLimit };
        const bytes = by === undefined ? defaultMessageBytes : orderedMessageBytes;
        const concurrency = own.concurrency ?? (kind === 'rpc' ? defaultCalls : 1);
        return [
          queue,
          {
            kind,
            retryDelays: own.retryDelays ?? retryDelays,
            maxAge,
            concurrency,
            redeliveries,
            maxMessageBytes: own.maxMessageBytes ?? bytes,
            singleActiveConsumer,
            ...(by !== undefined && {
              order: { by, partitions, ...limit, ...(perKey && { perKey: share }) },
            }),
            ...(rate && { limit: rate }),
          },
        ];
      },
    ),
  );
}

/** The kind of each queue. */
export function queueKinds({ queues }: Section): Record<string, QueueKind> {
  return Object.fromEntries(Object.entries(queues).map(([queue, { kind }]) => [queue, kind]));
}

/**
 * The function of `custom.warren.longPoll`, and the queues from which it feeds others; undefined without such a function.
 *
 * @throws WarrenError ERR_TOPOLOGY if it names a queue that is not declared.
 */
export function longPollSettings({
  longPoll,
  queues,
}: Section): { function: string; queues: string[] } | undefined {
  if (!longPoll) return undefined;
  // A caller of RPC does not wait for a schedule.
  const work = Object.keys(queues).filter((queue) => queues[queue]?.kind === 'work');
  const unknown = (longPoll.queues ?? []).filter((queue) => !Object.hasOwn(queues, queue));
  if (unknown.length > 0) {
    const path = ['custom', 'warren', 'longPoll', 'queues'];
    const textOf = (queue: string) => `longPoll names queue "${queue}", which is not declared`;
    throw topologyError(unknown.map((queue) => ({ path, text: textOf(queue) })));
  }
  return { function: longPoll.function, queues: longPoll.queues ?? work };
}
