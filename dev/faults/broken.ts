import { table } from '../../runtime/cli/table.ts';
import { projectFile } from '../stack/project.ts';
import { type Break, breaks, enough } from './breaks.ts';
import { printRun } from './print.ts';
import { type RunOptions, run } from './run.ts';

/**
 * Runs in each of which one promise is broken.
 *
 * @param name names of `breaks`, separated by commas, or `all`.
 * @returns the exit code: 0 if all expected counts noticed each defect, otherwise 1.
 */
export async function runBroken(name: string, options: RunOptions): Promise<number> {
  const names = name === 'all' ? Object.keys(breaks) : name.split(',');
  const results: { name: string; noticedBy: readonly string[]; noticed: boolean }[] = [];
  for (const each of names) {
    const broken = Object.hasOwn(breaks, each) ? breaks[each] : undefined;
    if (!broken) {
      console.error(`--break: expected all or one of ${Object.keys(breaks).join(', ')}, got "${each}"`);
      return 1;
    }
    const noticed = await runOne(each, broken, options);
    results.push({ name: each, noticedBy: broken.noticedBy, noticed });
  }
  const rows = results.map((each) => [
    each.name,
    each.noticedBy.join(', '),
    each.noticed ? 'noticed' : 'NOT NOTICED',
  ]);
  console.log(`\n${table(['broken on purpose', 'has to be noticed by', ''], rows)}`);
  return results.every(({ noticed }) => noticed) ? 0 : 1;
}

async function runOne(name: string, broken: Break, options: RunOptions): Promise<boolean> {
  const { noticedBy, faults = [], workers, publishers, prepare, load = enough, times = 3 } = broken;
  options.say(`Broken on purpose: ${name}`);
  const mend = publishers && (await import(breaker(publishers)));
  const settings = {
    ...options,
    ...load,
    only: faults,
    faults: faults.length * times,
    calm: 5,
    patience: 150,
    ...(workers && { preload: breaker(workers) }),
    ...(prepare && { prepare }),
  };
  const result = await run(settings);
  (mend as { mend(): void } | undefined)?.mend();
  printRun(settings, result);
  const wrong = result.counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
  return noticedBy.every((what) => wrong.includes(what));
}

const breaker = (name: string) => projectFile(`dev/faults/break/${name}.mjs`);
