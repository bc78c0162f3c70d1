/** `npm run test:order`: kills and replaces workers of a queue with `orderBy`, and counts the messages out of order. */
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Option, program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { table } from '../../runtime/cli/table.ts';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import type { Count } from '../faults/compare.ts';
import { startStack } from '../stack/stack.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { compareRates } from './rate.ts';

interface Options {
  seed: string;
  messages: number;
  customers: number;
  workers: number;
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
  .option('--kills <count>', 'workers to kill', wholeNumber(0, 1000), 6)
  .option('--no-rate', 'do not compare the rate, which depends on the machine')
  .addOption(
    new Option('--break <what...>', 'break a promise on purpose, and see it noticed').choices([
      'all',
      ...Object.keys(breaks),
    ]),
  )
  .parse()
  .opts<Options>();
const say = (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
const dataDir = await mkdtemp(join(tmpdir(), 'warren-order-stack-'));
const quiet = { functions: undefined, given: {}, report: () => undefined };
const stack = await startStack({ dataDir, ports: 'free', ...quiet });
try {
  process.exitCode = (await runAll()) ? 0 : 1;
} finally {
  await stack.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** Runs the right course and compares the rates, or runs each that is broken. @returns whether all was right, or noticed. */
async function runAll(): Promise<boolean> {
  if (broken === undefined) {
    const counts = await run();
    if (options.rate) counts.push(await compareRates([await vhost(), await vhost()], { ...options, say }));
    print(counts);
    return counts.every(({ problems }) => problems.length === 0);
  }
  const rows: string[][] = [];
  for (const [name, each] of Object.entries(breaks)) {
    if (!broken.includes('all') && !broken.includes(name)) continue;
    say(`Broken on purpose: ${name}`);
    const counts = await run(each);
    print(counts);
    const wrong = counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
    const noticed = each.noticedBy.every((what) => wrong.includes(what));
    rows.push([name, each.noticedBy.join(', '), noticed ? 'noticed' : 'NOT NOTICED']);
  }
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
  return rows.every((row) => row.includes('noticed'));
}

async function run(given?: Break): Promise<Count[]> {
  const begun = Date.now();
  const counts = await runCourse({ ...options, AMQP_URL: await vhost(), broken: given, say });
  say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
  return counts;
}

/** Makes a vhost. @returns its URL. */
async function vhost(): Promise<string> {
  const name = `order-${randomUUID()}`;
  const management = new URL(stack.env.AMQP_MANAGEMENT_URL);
  const headers = { authorization: basicAuthorization(management) };
  const { ok } = await fetch(`${management.origin}/api/vhosts/${name}`, { method: 'PUT', headers });
  if (!ok) throw new Error(`expected RabbitMQ to make the vhost ${name}`);
  return Object.assign(new URL(stack.env.AMQP_URL), { pathname: name }).href;
}

function print(counts: readonly Count[]): void {
  const { seed, messages, customers, kills } = options;
  console.log(
    `\nnpm run test:order -- --seed ${seed} --messages ${messages} --customers ${customers} --kills ${kills}`,
  );
  const rows = counts.map(({ what, expected, got, problems }) => [
    ...[what, String(expected), String(got)],
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, 10)) console.log(`${what}: ${problem}`);
  }
}
