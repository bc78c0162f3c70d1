import { table } from '../cli/table.ts';
import type { RunOptions, RunResult } from './run.ts';

/** So many of the problems of one kind are shown. */
const shown = 10;

/** Prints what struck and what was counted. */
export function printRun({ seed }: Pick<RunOptions, 'seed'>, result: RunResult): void {
  const { struck, accepted, counts, quietAfter } = result;
  const times = new Map<string, number[]>();
  for (const { name, from, to } of struck) times.set(name, [...(times.get(name) ?? []), (to - from) / 1000]);
  const faults = [...times].map(([name, each]) => [
    ...[name, String(each.length)],
    `${each.reduce((sum, seconds) => sum + seconds, 0).toFixed(0)} s`,
  ]);
  console.log(`\nSeed ${seed}\n${table(['fault', 'times', 'in all'], faults)}\n`);
  const rows = counts.map(({ what, expected, got, problems }) => [
    ...[what, String(expected), String(got)],
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  console.log(
    `\n${accepted.retries} requests were refused and made again; all was quiet ${quietAfter} s after the last.`,
  );
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, shown)) console.log(`${what}: ${problem}`);
    if (problems.length > shown) console.log(`${what}: … and ${problems.length - shown} more`);
  }
}
