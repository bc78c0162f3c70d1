import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import type { Count } from '../faults/compare.ts';
import {
  type Broken,
  breakOption,
  courseProgram,
  printCounts,
  runBroken,
  say,
  type WorkerOptions,
  withWorkers,
  wrongIn,
} from './program.ts';
import { makeVhost, withStack } from './vhosts.ts';

/** A course on workers that are killed. */
export interface WorkerCourse<Own, Each extends Broken> {
  /** Its script in package.json is `test:<name>`. */
  name: string;
  description: string;
  /** Number of messages if the command has none, and the most. */
  messages: readonly [number, number];
  /** Adds its own options. */
  withOwn: (course: Command) => Command;
  breaks: Readonly<Record<string, Each>>;
  /** Its own options as text, for the command that repeats it. */
  repeat: (own: Own) => string;
  /** @param vhost makes another empty vhost, and returns its URL. */
  run: (
    given: Own & WorkerOptions,
    broken: Each | undefined,
    vhost: () => Promise<string>,
  ) => Promise<Count[]>;
}

type Options<Own> = Own & Omit<WorkerOptions, 'AMQP_URL' | 'say'> & { break?: string[] };

/**
 * Reads the command line, and runs the right course, or each that is broken, in a vhost of its own. The exit code is 0 if all was right, or
 * noticed.
 */
export async function runOnWorkers<Own, Each extends Broken>(course: WorkerCourse<Own, Each>): Promise<void> {
  const { name, description, messages, withOwn, breaks, repeat } = course;
  const [fallback, most] = messages;
  const options = withOwn(
    withWorkers(courseProgram(`test:${name}`, description)).option(
      '--messages <count>',
      'messages in all',
      wholeNumber(10, most),
      fallback,
    ),
  )
    .addOption(breakOption(breaks))
    .parse()
    .opts<Options<Own>>();
  const isRight = await withStack(async (stack) => {
    const vhost = () => makeVhost(stack, `${name}-${randomUUID()}`);
    const run = async (broken?: Each) => {
      const counts = await course.run({ ...options, AMQP_URL: await vhost(), say }, broken, vhost);
      const { seed, processes, kills } = options;
      const load = `--messages ${options.messages} --processes ${processes} --kills ${kills}`;
      printCounts(`npm run test:${name} -- --seed ${seed} ${repeat(options)} ${load}`, counts);
      return counts;
    };
    return options.break === undefined
      ? wrongIn(await run()).length === 0
      : runBroken(options.break, breaks, run);
  });
  process.exitCode = isRight ? 0 : 1;
}
