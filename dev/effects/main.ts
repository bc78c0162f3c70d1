/** `npm run test:effects`: kills workers that run the function of docs/effects.md, and counts its effects. */
import { randomInt, randomUUID } from 'node:crypto';
import { program } from 'commander';
import pg from 'pg';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { breakOption, printCounts, runBroken, say, wrongIn } from '../course/program.ts';
import { makeVhost, withStack } from '../course/vhosts.ts';
import type { Count } from '../faults/compare.ts';
import type { Stack } from '../stack/stack.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';

interface Options {
  seed: string;
  messages: number;
  kills: number;
  break?: string[];
}

const { break: broken, ...options } = program
  .name('npm run test:effects --')
  .description('kills workers that run the function of docs/effects.md, and counts its effects')
  .option('--seed <text>', 'what order and moments follow from', String(randomInt(1_000_000)))
  .option('--messages <count>', 'orders; a tenth as many reminders', wholeNumber(10, 100_000), 2000)
  .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 20)
  .addOption(breakOption(breaks))
  .parse()
  .opts<Options>();
process.exitCode = (await withStack(runAll)) ? 0 : 1;

/** Runs the right course, or each that is broken. @returns whether all was right, or noticed. */
async function runAll(stack: Stack): Promise<boolean> {
  if (broken === undefined) return wrongIn(await run(stack)).length === 0;
  return runBroken(broken, breaks, (each) => run(stack, each));
}

/** Runs a course in a vhost and a database of its own, and prints its counts. */
async function run(stack: Stack, given?: Break): Promise<Count[]> {
  const name = `effects-${randomUUID()}`;
  const AMQP_URL = await makeVhost(stack, name);
  const pool = new pg.Pool({ connectionString: stack.env.DATABASE_URL });
  await pool.query(`create database "${name}"`).finally(() => pool.end());
  const DATABASE_URL = Object.assign(new URL(stack.env.DATABASE_URL), { pathname: name }).href;
  const begun = Date.now();
  const counts = await runCourse({ ...options, AMQP_URL, DATABASE_URL, broken: given, say });
  say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
  const { seed, messages, kills } = options;
  printCounts(`npm run test:effects -- --seed ${seed} --messages ${messages} --kills ${kills}`, counts);
  return counts;
}
