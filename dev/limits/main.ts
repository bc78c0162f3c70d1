/** `npm run test:limits`: kills workers of a queue with a limit, or with limits for each key, and counts the messages above it. */
import { randomInt, randomUUID } from 'node:crypto';
import { Option, program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { breakOption, printCounts, runBroken, say, wrongIn } from '../course/program.ts';
import { makeVhost, withStack } from '../course/vhosts.ts';
import type { Count } from '../faults/compare.ts';
import type { Stack } from '../stack/stack.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { runKeys } from './keys.ts';

interface Options {
  seed: string;
  messages: number;
  limit: string;
  workers: number;
  processes: number;
  kills: number;
  timed: boolean;
  keys: boolean;
  break?: string[];
}

const { break: broken, ...options } = program
  .name('npm run test:limits --')
  .description('kills workers of a queue with a limit, and counts the messages above it')
  .option('--seed <text>', 'what messages and moments follow from', String(randomInt(1_000_000)))
  .option('--messages <count>', 'messages in all', wholeNumber(10, 100_000), 1200)
  .option('--limit <text>', 'limit of the queue', '100/5 seconds')
  .option('--workers <count>', 'workers at a time', wholeNumber(1, 16), 3)
  .option('--processes <count>', 'processes of the function in each worker', wholeNumber(0, 16), 1)
  .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 6)
  .addOption(
    new Option('--keys', 'limits for each key instead of one for the queue')
      .default(false)
      .conflicts('break'),
  )
  .option('--no-timed', 'do not count by the clock, which depends on the machine')
  .addOption(breakOption(breaks))
  .parse()
  .opts<Options>();
process.exitCode = (await withStack(runAll)) ? 0 : 1;

/** Runs the right course, or each that is broken. @returns whether all was right, or noticed. */
async function runAll(stack: Stack): Promise<boolean> {
  const course = async (each?: Break) => run(await makeVhost(stack, `limits-${randomUUID()}`), each);
  if (broken !== undefined) return runBroken(broken, breaks, course);
  return wrongIn(await course()).length === 0;
}

async function run(AMQP_URL: string, given?: Break): Promise<Count[]> {
  const { seed, messages, limit, processes, kills, keys } = options;
  const counts = keys
    ? await runKeys({ ...options, AMQP_URL, say })
    : await runCourse({ ...options, AMQP_URL, broken: given, say });
  const what = keys ? '--keys' : `--limit '${limit}'`;
  const load = `${what} --messages ${messages} --processes ${processes} --kills ${kills}`;
  printCounts(`npm run test:limits -- --seed ${seed} ${load}`, counts);
  return counts;
}
