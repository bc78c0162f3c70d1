/** The time that a chart shows at least. */
export const leastSeconds = 600;

/**
 * Returns the first and the last second of a chart.
 *
 * @param low second of the oldest value; null if there is none.
 * @param high second of the newest value; null if there is none.
 * @param now the present second.
 */
export function timeRange(low: number | null, high: number | null, now: number): [number, number] {
  const end = high ?? now;
  // One value has no range of its own.
  return [Math.min(low ?? end, end - leastSeconds), end];
}
