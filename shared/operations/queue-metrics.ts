import type { QueueState } from 'warren/topology';

/** The metrics that the alarms use. */
export interface QueueMetrics {
  DeadLetters: number;
  /** Number of waiting messages in the longest queue. */
  LongestQueue: number;
  /** Number of messages in all retry queues. */
  Retrying: number;
  /**
   * How many of these are held although their delay is over, because their queue takes none; missing if the management API does
   * not report it.
   */
  Overdue?: number;
  /** Number of queues without a consumer. */
  WithoutConsumer: number;
  /** Number of queues without a consumer but with messages. The other queues need no worker that is started on demand. */
  Deserted: number;
}

/** Computes the metrics from the states of all queues. */
export function measureQueues(states: readonly QueueState[]): QueueMetrics {
  const ready = (kind: QueueState['kind']) =>
    states.filter((state) => state.kind === kind).map((state) => state.ready ?? 0);
  const without = states.filter(isWithoutConsumer);
  const isKnown = states.some(({ overdue }) => overdue !== null);
  return {
    DeadLetters: Math.max(0, ...ready('dead-letters')),
    LongestQueue: Math.max(0, ...ready('work')),
    Retrying: states.reduce((sum, { retrying }) => sum + (retrying ?? 0), 0),
    ...(isKnown && { Overdue: states.reduce((sum, { overdue }) => sum + (overdue ?? 0), 0) }),
    WithoutConsumer: without.length,
    Deserted: without.filter((state) => state.ready !== 0).length,
  };
}

/** Whether messages of a queue are held in its retry queues although their delay is over. */
export function holdsRetries({ overdue }: QueueState): boolean {
  return (overdue ?? 0) > 0;
}

/**
 * Whether a work queue lacks a consumer. A queue that does not exist has none either; one that the long poll feeds lacks it only
 * while messages wait.
 */
export function isWithoutConsumer({ kind, consumers, polled, ready }: QueueState): boolean {
  return kind === 'work' && (consumers ?? 0) === 0 && !(polled && ready === 0);
}
