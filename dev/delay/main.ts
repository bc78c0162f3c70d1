/** `npm run test:delay`: delays messages while the broker and the publisher are killed, and counts how they arrive. */
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { handOverAgain } from '../../runtime/local/hand-over-again.ts';
import { breakOption, courseProgram, printCounts, runBroken, say, wrongIn } from '../course/program.ts';
import type { Count } from '../faults/compare.ts';
import { privateBroker } from '../stack/private-broker.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { histogram, quantiles } from './histogram.ts';

interface Options {
  seed: string;
  messages: number;
  seconds: number;
  brokerKills: number;
  publisherKills: number;
  atOnce: boolean;
  again: number;
  break?: string[];
}

const { break: broken, ...options } = courseProgram(
  'test:delay',
  'delays messages while the broker and the publisher are killed, and counts how they arrive',
)
  .option('--messages <count>', 'messages', wholeNumber(10, 100_000), 3000)
  .option('--seconds <count>', 'the longest delay', wholeNumber(4, 3600), 60)
  .option('--broker-kills <count>', 'kills of the broker', wholeNumber(0, 100), 2)
  .option('--publisher-kills <count>', 'kills of the publisher', wholeNumber(0, 100), 4)
  .option('--at-once', 'let all messages be due at the same time', false)
  .option(
    '--again <seconds>',
    'after which the broker hands a message over again (RabbitMQ: 180)',
    wholeNumber(1, 3600),
    10,
  )
  .addOption(breakOption(breaks))
  .parse()
  .opts<Options>();
process.exitCode = (await runAll()) ? 0 : 1;

/** Runs the right course, or each that is broken. @returns whether all was right, or noticed. */
async function runAll(): Promise<boolean> {
  if (broken === undefined) return wrongIn(await run()).length === 0;
  return runBroken(broken, breaks, run);
}

/** Runs a course on a broker of its own, and prints its counts. */
async function run(given?: Break): Promise<readonly Count[]> {
  const againMs = options.again * 1000;
  const broker = await privateBroker(undefined, handOverAgain(againMs));
  try {
    const counted = await runCourse({ ...options, broker, againMs, broken: given, say });
    print(counted);
    return counted.counts;
  } finally {
    await broker.close();
  }
}

function print({ counts, lateness, control }: Awaited<ReturnType<typeof runCourse>>): void {
  const { seed, messages, seconds, brokerKills, publisherKills, atOnce, again } = options;
  const kills = `--broker-kills ${brokerKills} --publisher-kills ${publisherKills}${atOnce ? ' --at-once' : ''}`;
  const load = `--messages ${messages} --seconds ${seconds} --again ${again} ${kills}`;
  printCounts(`npm run test:delay -- --seed ${seed} ${load}`, counts);
  console.log(`Lateness of the ${lateness.length} messages that no outage touched, in milliseconds:`);
  console.log(histogram(lateness));
  console.log(`The control, which waits on one level alone: ${quantiles(control)}`);
}
