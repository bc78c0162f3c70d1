import type { Command } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import type { ReplayOptions } from '../../dead-letters/replay.ts';
import { canAsk, confirm } from '../confirm.ts';
import { print } from '../context.ts';
import { groupTable, stayedText } from '../letter.ts';
import { selectedVhosts, type Vhost } from '../vhosts.ts';
import { reporter } from './reports.ts';
import { requireAll, type Selection, selection, wholeNumber } from './selection.ts';

interface ReplayFlags extends Selection, Pick<ReplayOptions, 'limit' | 'oneAtATime'> {
  to?: string;
}

const loadEach = () => import('./each-vhost.ts');

/** Adds the subcommands that take dead letters out of their queue. */
export function registerActing(letters: Command): void {
  letters
    .command('replay')
    .description('return dead letters to the queues they came from, and reset their attempts')
    .argument('[ids...]', 'ids from the list')
    .option('-q, --queue <name>', 'all dead letters of this queue')
    .option('-r, --reason <reason>', 'only dead letters with this reason')
    .option('-e, --error <text>', "all dead letters with this text in the error's first line")
    .option('--all', 'all dead letters')
    .option('-n, --limit <letters>', 'maximum number of dead letters to put back', wholeNumber)
    .option('-t, --to <queue>', 'put them into this queue instead')
    .option('--one-at-a-time', 'double at most one if it is interrupted, and be slower')
    .action(async (ids: string[], options: ReplayFlags, command: Command) => {
      const { limit, to, oneAtATime } = options;
      const filter = selection(ids, options);
      const { replayEach } = await loadEach();
      const progress = reporter();
      const done = await replayEach(await selectedVhosts(options), filter, {
        progress,
        limit,
        to,
        oneAtATime,
      });
      print(command, done, () => `put back ${done.replayed.length}`);
      if (done.stayed.length > 0) {
        const broken = done.stayed.some(({ problem }) => problem !== undefined);
        throw new WarrenError(broken ? 'ERR_COPY_FAILED' : 'ERR_UNROUTABLE', stayedText(done.stayed, to));
      }
      if (limit !== undefined && done.replayed.length >= limit) return;
      requireAll(ids, [...done.replayed, ...done.stayed]);
    });

  letters
    .command('drop')
    .description('delete dead letters permanently')
    .argument('[ids...]', 'ids from the list')
    .option('-q, --queue <name>', 'all dead letters of this queue')
    .option('-r, --reason <reason>', 'only dead letters with this reason')
    .option('-e, --error <text>', "all dead letters with this text in the error's first line")
    .option('--all', 'all dead letters')
    .option('-n, --limit <letters>', 'maximum number of dead letters to delete', wholeNumber)
    .option('-y, --yes', 'do not ask for confirmation')
    .action(
      async (ids: string[], options: Selection & { limit?: number; yes?: boolean }, command: Command) => {
        const { limit = Number.POSITIVE_INFINITY } = options;
        const filter = selection(ids, options);
        const vhosts = await selectedVhosts(options);
        const agreed = options.yes ? undefined : await ask(vhosts, filter, limit);
        const { dropEach } = await loadEach();
        const done = await dropEach(vhosts, filter, { limit, agreed, progress: reporter() });
        print(command, { dropped: done.length, letters: done }, () => `deleted ${done.length}`);
        if (agreed?.size !== 0 && done.length < limit) requireAll(ids, done);
      },
    );
}

/** @returns the maximum number to delete by virtual host: the count at the time of the question; empty if the answer is no. */
async function ask(
  vhosts: readonly Vhost[],
  filter: DeadLetterFilter,
  limit: number,
): Promise<Map<string, number>> {
  const { surveyEach } = await loadEach();
  const { total, groups } = await surveyEach(vhosts, filter, 0);
  const counts = new Map<string, number>();
  const count = Math.min(total, limit);
  if (count === 0) return counts;
  if (!canAsk()) {
    const text = `would delete ${count}; add --yes to do it\n${groupTable(groups)}`;
    throw new WarrenError('ERR_CONFIG', text);
  }
  console.error(groupTable(groups));
  if (!(await confirm(`Delete ${count} for good? [y/N] `))) return counts;
  for (const group of groups) counts.set(group.vhost, (counts.get(group.vhost) ?? 0) + group.count);
  return counts;
}
