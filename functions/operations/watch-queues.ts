/**
 * Triggered by a schedule, each minute: measures how the queues stand, for alarms. Reads only, and takes no message. Where
 * the broker does not answer it fails and measures nothing, which rings, too.
 */
import { lambda } from 'warren/functions';
import type { QueueState, QueueStates } from 'warren/topology';
import { metricsNamespace, openQueues } from '../../shared/operations/queues.ts';

interface Deps {
  /** Opened for each run: between two of them the function is frozen, and a connection would die. */
  open: () => Pick<QueueStates, 'read' | 'close'>;
  namespace: string;
  print?: (line: string) => void;
  now?: () => number;
}

/** What the alarms are about. */
export interface Measured {
  DeadLetters: number;
  /** Messages that wait in the queue where most do. */
  LongestQueue: number;
  /** Queues without a consumer. */
  WithoutConsumer: number;
  /** Those of them in which messages wait: a worker that is started for messages has nothing to do in the others. */
  Deserted: number;
}

export function createHandler({ open, namespace, print = writeLine, now = Date.now }: Deps) {
  return async (): Promise<Measured> => {
    const queues = open();
    try {
      const states = await queues.read();
      const measured = measure(states);
      const without = states.filter(isWithoutConsumer).map(({ queue }) => queue);
      print(metricsLine(namespace, now(), measured, { without_consumer: without }));
      return measured;
    } finally {
      await queues.close();
    }
  };
}

function measure(states: readonly QueueState[]): Measured {
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

/** A queue that is not there has none either. */
function isWithoutConsumer({ kind, consumers }: QueueState): boolean {
  return kind === 'work' && (consumers ?? 0) === 0;
}

/**
 * A line of a log from which CloudWatch takes metrics.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
function metricsLine(namespace: string, timestamp: number, measured: Measured, properties: object): string {
  const Metrics = Object.keys(measured).map((Name) => ({ Name, Unit: 'Count' }));
  const CloudWatchMetrics = [{ Namespace: namespace, Dimensions: [[]], Metrics }];
  return JSON.stringify({ _aws: { Timestamp: timestamp, CloudWatchMetrics }, ...measured, ...properties });
}

/** Lambda would put its own words before a line that `console` prints. */
function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const handler = lambda({ open: openQueues, namespace: metricsNamespace }, createHandler);
