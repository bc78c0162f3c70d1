/** `npm run test:order`: kills and replaces workers of a queue with `orderBy`, and counts the messages out of order. */
import { randomInt, randomUUID } from 'node:crypto';
import { program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { breakOption, printCounts, runBroken, say, wrongIn } from '../course/program.ts';
import { makeVhost, withStack } from '../course/vhosts.ts';
import type { Count } from '../faults/compare.ts';
import type { Stack } from '../stack/stack.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { compareRates } from './rate.ts';

interface Options {
  seed: string;
  messages: number;
  customers: number;
  workers: number;
  processes: number;
  kills: number;
  rate: boolean;
  break?: string[];
}

const { break: broken, ...options } = program
  .name('npm run test:order --')
  .description('kills and replaces workers of a queue with orderBy, and counts the messages out of order')
  .option('--seed <text>', 'what messages and moments follow from', String(randomInt(1_000_000)))
  .option('--messages <count>', 'messages in all', wholeNumber(10, 1_000_000), 10_000)
  .option('--customers <count>', 'keys of the messages', wholeNumber(1, 10_000), 100)
  .option('--workers <count>', 'workers at a time', wholeNumber(1, 16), 3)
  .option('--processes <count>', 'processes of the function in each worker', wholeNumber(0, 16), 1)
  .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 6)
  .option('--no-rate', 'do not compare the rate, which depends on the machine')
  .addOption(breakOption(breaks))
  .parse()
  .opts<Options>();
process.exitCode = (await withStack(runAll)) ? 0 : 1;

/** Runs the right course and compares the rates, or runs each that is broken. @returns whether all was right, or noticed. */
async function runAll(stack: Stack): Promise<boolean> {
  const vhost = () => makeVhost(stack, `order-${randomUUID()}`);
  if (broken !== undefined) {
    return runBroken(broken, breaks, async (each) => {
      const counts = await run(await vhost(), each);
      print(counts);
      return counts;
    });
  }
  const counts = await run(await vhost());
  if (options.rate) counts.push(await compareRates([await vhost(), await vhost()], { ...options, say }));
  print(counts);
  return wrongIn(counts).length === 0;
}

async function run(AMQP_URL: string, given?: Break): Promise<Count[]> {
  const begun = Date.now();
  const counts = await runCourse({ ...options, rolls: options.workers, AMQP_URL, broken: given, say });
  say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
  return counts;
}

function print(counts: readonly Count[]): void {
  const { seed, messages, customers, processes, kills } = options;
  const load = `--messages ${messages} --customers ${customers} --processes ${processes} --kills ${kills}`;
  printCounts(`npm run test:order -- --seed ${seed} ${load}`, counts);
}
