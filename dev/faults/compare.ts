/** One promise, and whether it was kept. */
export interface Count {
  what: string;
  expected: number | string;
  got: number | string;
  /** What is missing, too many or wrong. */
  problems: string[];
}

/** Each once, and no other. */
export function compare(what: string, wanted: readonly string[], got: readonly string[]): Count {
  const counts = new Map<string, number>();
  for (const each of got) counts.set(each, (counts.get(each) ?? 0) + 1);
  const problems: string[] = [];
  for (const each of wanted) {
    const times = counts.get(each) ?? 0;
    if (times !== 1) problems.push(`${times === 0 ? 'missing' : `${times} times`}: ${each}`);
    counts.delete(each);
  }
  for (const each of counts.keys()) problems.push(`nobody asked for: ${each}`);
  return { what, expected: wanted.length, got: got.length, problems };
}
