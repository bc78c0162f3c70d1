/** Milliseconds of a line of the plot. */
const lineMs = 50;
const width = 60;

/**
 * Plots numbers of milliseconds as text, below their quantiles.
 *
 * @param sorted in ascending order.
 */
export function histogram(sorted: readonly number[]): string {
  if (sorted.length === 0) return 'none';
  const lines = new Map<number, number>();
  for (const ms of sorted) lines.set(Math.floor(ms / lineMs), (lines.get(Math.floor(ms / lineMs)) ?? 0) + 1);
  const most = Math.max(...lines.values());
  const bars = [...lines].map(
    ([line, count]) =>
      `${String(line * lineMs).padStart(6)} ${'#'.repeat(Math.ceil((count / most) * width))} ${count}`,
  );
  return [quantiles(sorted), ...bars].join('\n');
}

/** @param sorted in ascending order. */
export function quantiles(sorted: readonly number[]): string {
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  const parts = [0, 0.5, 0.9, 0.99, 0.999].map((part) => `p${part * 100} ${at(part)}`);
  return `${parts.join('  ')}  max ${sorted.at(-1)}`;
}
