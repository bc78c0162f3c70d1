/** `npm run test:delay`: delays messages while the broker and the publisher are killed, and counts how they arrive. */
import { randomInt } from 'node:crypto';
import { Option, program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { table } from '../../runtime/cli/table.ts';
import { privateBroker } from '../stack/private-broker.ts';
import { type Break, breaks } from './breaks.ts';
import type { Counted } from './count.ts';
import { runCourse } from './course.ts';
import { histogram } from './histogram.ts';

interface Options {
  seed: string;
  messages: number;
  seconds: number;
  brokerKills: number;
  publisherKills: number;
  break?: string[];
}

const { break: broken, ...options } = program
  .name('npm run test:delay --')
  .description('delays messages while the broker and the publisher are killed, and counts how they arrive')
  .option('--seed <text>', 'what delays and moments follow from', String(randomInt(1_000_000)))
  .option('--messages <count>', 'messages', wholeNumber(10, 100_000), 3000)
  .option('--seconds <count>', 'the longest delay', wholeNumber(4, 3600), 60)
  .option('--broker-kills <count>', 'kills of the broker', wholeNumber(0, 100), 2)
  .option('--publisher-kills <count>', 'kills of the publisher', wholeNumber(0, 100), 4)
  .addOption(
    new Option('--break <what...>', 'break a promise on purpose, and see it noticed').choices([
      'all',
      ...Object.keys(breaks),
    ]),
  )
  .parse()
  .opts<Options>();
const say = (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
process.exitCode = (await runAll()) ? 0 : 1;

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

/** Runs a course on a broker of its own, and prints its counts. @returns the names of those with problems. */
async function run(given?: Break): Promise<string[]> {
  const broker = await privateBroker();
  try {
    const counted = await runCourse({ ...options, broker, broken: given, say });
    print(counted);
    return counted.counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
  } finally {
    await broker.close();
  }
}

function print({ counts, lateness }: Counted): void {
  const { seed, messages, seconds, brokerKills, publisherKills } = options;
  const kills = `--broker-kills ${brokerKills} --publisher-kills ${publisherKills}`;
  console.log(`\nnpm run test:delay -- --seed ${seed} --messages ${messages} --seconds ${seconds} ${kills}`);
  const rows = counts.map(({ what, expected, got, problems }) => [
    ...[what, String(expected), String(got)],
    problems.length === 0 ? 'right' : `${problems.length} WRONG`,
  ]);
  console.log(table(['', 'expected', 'counted', ''], rows));
  for (const { what, problems } of counts) {
    for (const problem of problems.slice(0, 10)) console.log(`${what}: ${problem}`);
  }
  console.log(`Lateness of the ${lateness.length} messages that no outage touched, in milliseconds:`);
  console.log(histogram(lateness));
}
