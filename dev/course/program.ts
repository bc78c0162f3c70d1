/** What the commands of the courses share: their option for breaks, and how they report. */
import { randomInt } from 'node:crypto';
import { type Command, Option, program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { table } from '../../runtime/cli/table.ts';
import type { Count } from '../faults/compare.ts';

/** A promise that is broken on purpose. */
export interface Broken {
  /** The counts that have to show it. */
  noticedBy: readonly string[];
}

/** Reports progress. */
export const say = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

/** What all courses on workers are given. */
export interface WorkerOptions {
  AMQP_URL: string;
  /** What messages and moments follow from. */
  seed: string;
  messages: number;
  workers: number;
  /** Processes of the function in each worker; 0 calls it in the worker itself. */
  processes: number;
  kills: number;
  say: (text: string) => void;
}

/**
 * The program of a course, with its option `--seed`.
 *
 * @param name of the script in package.json.
 */
export const courseProgram = (name: string, description: string): Command =>
  program
    .name(`npm run ${name} --`)
    .description(description)
    .option('--seed <text>', 'what messages and moments follow from', String(randomInt(1_000_000)));

/** The options of courses on workers that are killed. */
export const withWorkers = (course: Command): Command =>
  course
    .option('--workers <count>', 'workers at a time', wholeNumber(1, 16), 3)
    .option('--processes <count>', 'processes of the function in each worker', wholeNumber(0, 16), 1)
    .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 6);

/** The option `--break`, with the names of what can be broken. */
export const breakOption = (breaks: object): Option =>
  new Option('--break <what...>', 'break a promise on purpose, and see it noticed').choices([
    'all',
    ...Object.keys(breaks),
  ]);

/**
 * Runs the course once for each chosen break, and prints which were noticed.
 *
 * @param run runs and prints a course.
 * @returns whether all were noticed.
 */
export async function runBroken<Each extends Broken>(
  chosen: readonly string[],
  breaks: Readonly<Record<string, Each>>,
  run: (each: Each) => Promise<readonly Count[]>,
): Promise<boolean> {
  const rows: string[][] = [];
  for (const [name, each] of Object.entries(breaks)) {
    if (!chosen.includes('all') && !chosen.includes(name)) continue;
    say(`Broken on purpose: ${name}`);
    const wrong = wrongIn(await run(each));
    const noticed = each.noticedBy.every((what) => wrong.includes(what));
    rows.push([name, each.noticedBy.join(', '), noticed ? 'noticed' : 'NOT NOTICED']);
  }
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
  return rows.every((row) => row.includes('noticed'));
}

/** The names of the counts that are wrong. */
export const wrongIn = (counts: readonly Count[]): string[] =>
  counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);

/** Prints the command that repeats a course, its counts and the first problems of each. */
export function printCounts(command: string, counts: readonly Count[]): void {
  console.log(`\n${command}`);
  const rows = counts.map(({ what, expected, got, problems }) => [
    ...[what, String(expected), String(got)],
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, 10)) console.log(`${what}: ${problem}`);
  }
}
