import { BrokerConnection } from '../amqp/connection.ts';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import type { Topology } from './compile.ts';
import { countQueues } from './count-queues.ts';
import { delayLevel, delayUnitMs, dueQueueOf } from './delay-names.ts';
import { managedReader } from './managed-queues.ts';

/** Delayed messages that wait at the broker. */
export interface DelayStates {
  levels: {
    level: number;
    /** Seconds for which a message waits on it. */
    seconds: number;
    /** Messages that wait; null if the broker has no such queue. */
    messages: number | null;
    /** Seconds after which the last of them is due at the latest, because a message goes down and never up. */
    dueWithin: number;
  }[];
  /** Destinations with messages that are due. */
  destinations: {
    /** Name of the exchange or the queue. */
    name: string;
    kind: 'exchange' | 'queue';
    /** Messages that are due and that the destination does not take; null if the management API does not report them. */
    held: number | null;
  }[];
}

/**
 * Counts the delayed messages by level. The broker does not report when a single message is due.
 *
 * @param options.url AMQP URL of the broker.
 * @param options.managementUrl URL of the management API; without it `held` is unknown.
 * @throws as `QueueStates.read`.
 */
export async function readDelayStates(options: {
  topology: Topology;
  url: string;
  managementUrl?: string | undefined;
  timeoutMs?: number;
}): Promise<DelayStates> {
  const { topology, url, managementUrl, timeoutMs = 5000 } = options;
  const queues = topology.delays?.queues ?? [];
  const connection = new BrokerConnection({ url, name: 'warren scheduled', connectTimeoutMs: timeoutMs });
  const ms = timeoutMs * connection.addresses;
  const late = () => new UnavailableError('broker', `no answer from the broker within ${ms} ms`);
  try {
    const managed = managementUrl ? managedReader({ managementUrl, brokerUrl: url, timeoutMs })() : undefined;
    const [counts, expired] = await withDeadline(
      Promise.all([countQueues(connection, queues), managed?.then((each) => each.expired)]),
      { ms, late },
    );
    return {
      levels: queues.flatMap(({ name }, level) => {
        if (name !== delayLevel(level)) return [];
        const seconds = (delayUnitMs * 2 ** level) / 1000;
        const messages = counts.get(name)?.messageCount ?? null;
        return [{ level, seconds, messages, dueWithin: 2 * seconds - delayUnitMs / 1000 }];
      }),
      destinations: queues.flatMap(({ name }) => {
        const destination = dueQueueOf(name);
        return destination ? [{ ...destination, held: expired ? (expired.get(name) ?? 0) : null }] : [];
      }),
    };
  } finally {
    await connection.close();
  }
}
