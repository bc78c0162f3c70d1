/** Seconds in the largest unit in which they are at least 1. */
export function spoken(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
  ] as const;
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['s', 1];
  return `${Math.round((seconds / size) * 100) / 100} ${unit}`;
}
