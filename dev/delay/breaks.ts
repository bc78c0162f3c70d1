import type { Topology } from '../../runtime/topology/compile.ts';
import { delayLevel } from '../../runtime/topology/delay-names.ts';

/** A promise of delays that is broken on purpose. */
export interface Break {
  /** The counts that have to notice. */
  noticedBy: readonly string[];
  /** Changes the arguments of the queue of a level. */
  level?: (args: Record<string, unknown>) => Record<string, unknown>;
  /** Argument of the sender. */
  sender?: string;
}

/** The level of one second, on which half of all delays wait. */
const brokenLevel = delayLevel(2);

export const breaks: Readonly<Record<string, Break>> = {
  'short-level': {
    noticedBy: ['messages before they were due'],
    level: (args) => ({ ...args, 'x-message-ttl': 0 }),
  },
  'long-level': {
    noticedBy: ['messages more than 1 s later than the control'],
    level: (args) => ({ ...args, 'x-message-ttl': 3000 }),
  },
  'losing-level': {
    noticedBy: ['messages arrived'],
    level: () => ({ 'x-queue-type': 'quorum', 'x-message-ttl': 1000 }),
  },
  'new-ids': {
    noticedBy: ['messages arrived', 'messages doubled without a cause, or with another id'],
    sender: 'new-ids',
  },
};

/** A topology with a broken level. */
export function brokenTopology(topology: Topology, { level }: Break): Topology {
  const { delays } = topology;
  if (!delays || !level) return topology;
  const queues = delays.queues.map((queue) =>
    queue.name === brokenLevel ? { ...queue, arguments: level(queue.arguments) } : queue,
  );
  return { ...topology, delays: { ...delays, queues } };
}
