/** `npm run test:effects`: kills workers that run the function of docs/effects.md, and counts its effects. */
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Option, program } from 'commander';
import pg from 'pg';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { table } from '../../runtime/cli/table.ts';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import type { Count } from '../faults/compare.ts';
import { startStack } from '../stack/stack.ts';
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
  .addOption(
    new Option('--break <what...>', 'break a promise on purpose, and see it noticed').choices([
      'all',
      ...Object.keys(breaks),
    ]),
  )
  .parse()
  .opts<Options>();
const say = (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
const dataDir = await mkdtemp(join(tmpdir(), 'warren-effects-stack-'));
const quiet = { functions: undefined, given: {}, report: () => undefined };
const stack = await startStack({ dataDir, ports: 'free', ...quiet });
try {
  process.exitCode = (await runAll()) ? 0 : 1;
} finally {
  await stack.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** Runs the right course, or each that is broken. @returns whether all was right, or noticed. */
async function runAll(): Promise<boolean> {
  if (broken === undefined) return (await run()).length === 0;
  const rows: string[][] = [];
  for (const [name, each] of Object.entries(breaks)) {
    if (!broken.includes('all') && !broken.includes(name)) continue;
    say(`Broken on purpose: ${name}`);
    const wrong = await run(each);
    const noticed = each.noticedBy.every((what) => wrong.includes(what));
    rows.push([name, each.noticedBy.join(', '), noticed ? 'noticed' : 'NOT NOTICED']);
  }
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
  return rows.every((row) => row.includes('noticed'));
}

/** Runs a course in a vhost and a database of its own, and prints its counts. @returns the names of those with problems. */
async function run(given?: Break): Promise<string[]> {
  const name = `effects-${randomUUID()}`;
  const management = new URL(stack.env.AMQP_MANAGEMENT_URL);
  const headers = { authorization: basicAuthorization(management) };
  const { ok } = await fetch(`${management.origin}/api/vhosts/${name}`, { method: 'PUT', headers });
  if (!ok) throw new Error(`expected RabbitMQ to make the vhost ${name}`);
  const pool = new pg.Pool({ connectionString: stack.env.DATABASE_URL });
  await pool.query(`create database "${name}"`).finally(() => pool.end());
  const within = (url: string) => Object.assign(new URL(url), { pathname: name }).href;
  const [AMQP_URL, DATABASE_URL] = [within(stack.env.AMQP_URL), within(stack.env.DATABASE_URL)];
  const begun = Date.now();
  const counts = await runCourse({ ...options, AMQP_URL, DATABASE_URL, broken: given, say });
  say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
  print(counts);
  return counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
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
