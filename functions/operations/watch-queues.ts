/**
 * Triggered by a schedule, each minute: measures the queues for alarms. Reads only, and takes no message. If the broker does
 * not answer, it fails and writes no metrics, which also triggers an alarm.
 */
import { lambda } from 'warren/functions';
import type { QueueStates } from 'warren/topology';
import { metricsLine, writeLine } from '../../shared/operations/embedded-metrics.ts';
import {
  holdsRetries,
  isWithoutConsumer,
  measureQueues,
  type QueueMetrics,
} from '../../shared/operations/queue-metrics.ts';
import { metricsNamespace, openQueues } from '../../shared/operations/queues.ts';

interface Deps {
  /** Opens a connection for each run, because a kept one would die while the function is frozen. */
  open: () => Pick<QueueStates, 'read' | 'close'>;
  namespace: string;
  print?: (line: string) => void;
  now?: () => number;
}

export function createHandler({ open, namespace, print = writeLine, now = Date.now }: Deps) {
  return async (): Promise<QueueMetrics> => {
    const queues = open();
    try {
      const states = await queues.read();
      const counts = measureQueues(states);
      const properties = {
        without_consumer: states.filter(isWithoutConsumer).map(({ queue }) => queue),
        overdue: states.filter(holdsRetries).map(({ queue }) => queue),
      };
      print(metricsLine({ namespace, timestamp: now(), counts: { ...counts }, properties }));
      return counts;
    } finally {
      await queues.close();
    }
  };
}

export const handler = lambda({ open: openQueues, namespace: metricsNamespace }, createHandler);
