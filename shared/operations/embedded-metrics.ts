/** Metrics to write with the value of each, in the unit Count. */
export interface EmbeddedMetrics {
  /** The CloudWatch namespace. */
  namespace: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  counts: Readonly<Record<string, number>>;
  /** Further fields of the log line, which are no metrics. */
  properties?: object;
}

/**
 * Returns a log line from which CloudWatch extracts metrics.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function metricsLine({ namespace, timestamp, counts, properties }: EmbeddedMetrics): string {
  const Metrics = Object.keys(counts).map((Name) => ({ Name, Unit: 'Count' }));
  const CloudWatchMetrics = [{ Namespace: namespace, Dimensions: [[]], Metrics }];
  return JSON.stringify({ _aws: { Timestamp: timestamp, CloudWatchMetrics }, ...counts, ...properties });
}

/** Writes to stdout directly, because Lambda prefixes each line of `console` with its own text. */
export function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
