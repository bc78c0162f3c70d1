/**
 * `npm run test:limits`: kills workers of a queue with a limit, or with limits for each key, and counts the messages above it; or measures
 * how long a key waits behind another one.
 */
import { Option } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { orderedMessageBytes } from '../../runtime/topology/order.ts';
import { runOnWorkers } from '../course/worker-course.ts';
import { runBehind } from './behind.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { runKeys } from './keys.ts';

interface Options {
  limit: string;
  timed: boolean;
  maxMessageBytes: number;
  keys: boolean;
  behind: boolean;
  keyLimit?: string;
}

await runOnWorkers<Options, Break>({
  name: 'limits',
  description: 'kills workers of a queue with a limit, and counts the messages above it',
  messages: [1200, 100_000],
  withOwn: (course) =>
    course
      .option('--limit <text>', 'limit of the queue', '100/5 seconds')
      .addOption(
        new Option('--keys', 'limits for each key instead of one for the queue')
          .default(false)
          .conflicts('break'),
      )
      .addOption(
        new Option('--behind', 'measure ten messages of a key behind those of another one, without kills')
          .default(false)
          .conflicts(['break', 'keys']),
      )
      .option('--key-limit <text>', 'limit of each key, with --behind; default none')
      .option(
        '--max-message-bytes <count>',
        'of the queue, with --keys or --behind: workers read further ahead if it is small',
        wholeNumber(1000, orderedMessageBytes),
        orderedMessageBytes,
      )
      .option('--no-timed', 'do not count by the clock, which depends on the machine'),
  breaks,
  repeat: ({ keys, behind, limit, maxMessageBytes, keyLimit }) => {
    const size = `--max-message-bytes ${maxMessageBytes}`;
    if (behind) return `--behind ${size}${keyLimit ? ` --key-limit '${keyLimit}'` : ''}`;
    return keys ? `--keys ${size}` : `--limit '${limit}'`;
  },
  run: (options, broken, vhost) => {
    if (options.behind) return runBehind({ ...options, vhost });
    return options.keys ? runKeys(options) : runCourse({ ...options, broken });
  },
});
