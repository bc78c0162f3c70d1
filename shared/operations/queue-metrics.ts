import type { QueueState } from 'warren/topology';

/** The metrics that the alarms use. */
export interface QueueMetrics {
  DeadLetters: number;
  /** Number of waiting messages in the longest queue. */
  LongestQueue: number;
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
  return {
    DeadLetters: Math.max(0, ...ready('dead-letters')),
    LongestQueue: Math.max(0, ...ready('work')),
    WithoutConsumer: without.length,
    Deserted: without.filter((state) => state.ready !== 0).length,
  };
}

/** Whether a work queue has no consumer. A queue that does not exist has none either. */
export function isWithoutConsumer({ kind, consumers }: QueueState): boolean {
  return kind === 'work' && (consumers ?? 0) === 0;
}
