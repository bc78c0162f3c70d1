/** `npm run test:order`: kills and replaces workers of a queue with `orderBy`, and counts the messages out of order. */
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { runOnWorkers } from '../course/worker-course.ts';
import { type Break, breaks } from './breaks.ts';
import { runCourse } from './course.ts';
import { compareRates } from './rate.ts';

interface Options {
  customers: number;
  rate: boolean;
  rounds: number;
}

await runOnWorkers<Options, Break>({
  name: 'order',
  description: 'kills and replaces workers of a queue with orderBy, and counts the messages out of order',
  messages: [10_000, 1_000_000],
  withOwn: (course) =>
    course
      .option('--customers <count>', 'keys of the messages', wholeNumber(1, 10_000), 100)
      .option('--rounds <count>', 'comparisons of the rate, whose median counts', wholeNumber(1, 100), 3)
      .option('--no-rate', 'do not compare the rate, which depends on the machine'),
  breaks,
  repeat: ({ customers }) => `--customers ${customers}`,
  run: async (options, broken, vhost) => {
    const begun = Date.now();
    const counts = await runCourse({ ...options, rolls: options.workers, broken });
    options.say(`The course took ${Math.round((Date.now() - begun) / 1000)} s.`);
    if (broken || !options.rate) return counts;
    return [...counts, await compareRates(vhost, options)];
  },
});
