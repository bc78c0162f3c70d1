import { table } from '../../runtime/cli/table.ts';
import type { Felt } from './count-felt.ts';
import type { RunOptions, RunResult } from './run.ts';

/** So many of the problems of one kind are shown. */
const shown = 10;

/** The command that makes this run again. */
export function commandOf(options: RunOptions): string {
  const names = [
    'seed',
    'pictures',
    'alerts',
    'orders',
    'calls',
    'faults',
    'calm',
    'workers',
    'nodes',
    'away',
  ] as const;
  return `npm run test:faults -- ${names.flatMap((name) => (options[name] === undefined ? [] : `--${name} ${options[name]}`)).join(' ')}${options.offline ? ' --offline' : ''}`;
}

/** Prints what struck and what was counted. */
export function printRun(options: RunOptions, { felt, refusals, counts, quietAfter }: RunResult): void {
  const byName = new Map<string, Felt[]>();
  for (const each of felt) byName.set(each.fault.name, [...(byName.get(each.fault.name) ?? []), each]);
  const sum = (list: readonly Felt[], of: (each: Felt) => number) =>
    list.reduce((all, each) => all + of(each), 0);
  const faults = [...byName].map(([name, list]) => [
    name,
    String(list.length),
    `${sum(list, ({ from, to }) => (to - from) / 1000).toFixed(0)} s`,
    String(sum(list, (each) => each.requests)),
    String(sum(list, (each) => each.refusals)),
  ]);
  console.log(`\n${commandOf(options)}`);
  console.log(`${table(['fault', 'times', 'in all', 'requests meanwhile', 'refused'], faults)}\n`);
  const rows = counts.map(({ what, expected, got, problems }) => [
    what,
    String(expected),
    String(got),
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  console.log(
    `\n${refusals} requests were refused and made again; all was quiet ${quietAfter} s after the last.`,
  );
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, shown)) console.log(`${what}: ${problem}`);
    if (problems.length > shown) console.log(`${what}: … and ${problems.length - shown} more`);
  }
}
