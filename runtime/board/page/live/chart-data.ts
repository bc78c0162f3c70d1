import { leastSeconds } from './time-range.ts';

/** A line; null is a gap. */
export interface ChartLine {
  name: string;
  values: (number | null)[];
  /** A custom property of the style sheet, such as `--accent`. */
  color: string;
}

export interface ChartData {
  /** Whether the values are counts, of which there are no halves. */
  areCounts?: boolean;
  /** Times in milliseconds since 1970. */
  at: number[];
  lines: ChartLine[];
}

/** The times in seconds, and the values of each line, as uPlot takes them. */
export function toPlot({ at, lines }: ChartData): [number[], ...(number | null)[][]] {
  const seconds = at.map((ms) => ms / 1000);
  const [first] = seconds;
  // One time has no range of its own: uPlot would draw the day after it.
  if (first === undefined || seconds.length > 1) return [seconds, ...lines.map(({ values }) => values)];
  return [[first - leastSeconds, first], ...lines.map(({ values }) => [null, ...values])];
}
