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
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  const quantiles = [0, 0.5, 0.9, 0.99, 0.999].map((part) => `p${part * 100} ${at(part)}`);
  const lines = new Map<number, number>();
  for (const ms of sorted) lines.set(Math.floor(ms / lineMs), (lines.get(Math.floor(ms / lineMs)) ?? 0) + 1);
  const most = Math.max(...lines.values());
  const bars = [...lines].map(
    ([line, count]) =>
      `${String(line * lineMs).padStart(6)} ${'#'.repeat(Math.ceil((count / most) * width))} ${count}`,
  );
  return [`${quantiles.join('  ')}  max ${sorted.at(-1)}`, ...bars].join('\n');
}
