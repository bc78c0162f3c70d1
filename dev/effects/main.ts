/** `npm run test:effects`: kills workers that run the function of docs/effects.md, and counts its effects. */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Option, program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { table } from '../../runtime/cli/table.ts';
import type { Count } from '../faults/compare.ts';
import { startStack } from '../stack/stack.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';

interface Options {
  seed: string;
  messages: number;
  kills: number;
  break?: string;
}

const { break: broken, ...options } = program
  .name('npm run test:effects --')
  .description('kills workers that run the function of docs/effects.md, and counts its effects')
  .option('--seed <text>', 'what order and moments follow from', String(randomInt(1_000_000)))
  .option('--messages <count>', 'orders; a tenth as many reminders', wholeNumber(10, 100_000), 2000)
  .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 20)
  .addOption(
    new Option('--break <what>', 'break a promise on purpose, and see it noticed').choices([
      'all',
      ...Object.keys(breaks),
    ]),
  )
  .parse()
  .opts<Options>();
const say = (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
const results: boolean[] = [];
if (broken === undefined) results.push((await run()).length === 0);
else {
  const rows: string[][] = [];
  for (const [name, each] of Object.entries(breaks)) {
    if (broken !== 'all' && broken !== name) continue;
    say(`Broken on purpose: ${name}`);
    const wrong = await run(each);
    const noticed = each.noticedBy.every((what) => wrong.includes(what));
    results.push(noticed);
    rows.push([name, each.noticedBy.join(', '), noticed ? 'noticed' : 'NOT NOTICED']);
  }
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
}
process.exitCode = results.every(Boolean) ? 0 : 1;

/** Runs a course on parts of its own, and prints its counts. @returns the names of those with problems. */
async function run(given?: Break): Promise<string[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'warren-effects-stack-'));
  const stack = await startStack({
    dataDir,
    ports: 'free',
    functions: undefined,
    given: {},
    report: () => undefined,
  });
  try {
    const { AMQP_URL, DATABASE_URL } = stack.env;
    const begun = Date.now();
    const counts = await runCourse({ ...options, AMQP_URL, DATABASE_URL, broken: given, say });
    say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
    print(counts);
    return counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function print(counts: readonly Count[]): void {
  const { seed, messages, kills } = options;
  console.log(`\nnpm run test:effects -- --seed ${seed} --messages ${messages} --kills ${kills}`);
  const rows = counts.map(({ what, expected, got, problems }) => [
    ...[what, String(expected), String(got)],
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, 10)) console.log(`${what}: ${problem}`);
  }
}
