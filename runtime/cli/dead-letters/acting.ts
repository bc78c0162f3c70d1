import type { Command } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { dropDeadLetters, Survey, surveyDeadLetters } from '../../dead-letters/dead-letters.ts';
import { deadLetterEntries } from '../../dead-letters/entries.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import { replayDeadLetters } from '../../dead-letters/replay.ts';
import { canAsk, confirm } from '../confirm.ts';
import { print, required } from '../context.ts';
import { groupTable, stayedText } from '../letter.ts';
import { indexedOr, reporter, requireAll, type Selection, selection, wholeNumber } from './selection.ts';

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
    .action(async (ids: string[], options: Selection & { limit?: number; to?: string }, command: Command) => {
      const { limit, to } = options;
      const filter = selection(ids, options);
      const progress = reporter();
      const done = await replayDeadLetters(required('AMQP_URL'), filter, { progress, limit, to });
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
        const url = required('AMQP_URL');
        const agreed = options.yes ? limit : Math.min(limit, await ask(url, filter, limit));
        const done = agreed > 0 ? await dropDeadLetters(url, filter, agreed, reporter()) : [];
        print(command, { dropped: done.length, letters: done }, () => `deleted ${done.length}`);
        if (agreed > 0 && done.length < limit) requireAll(ids, done);
      },
    );
}

/** @returns the maximum number to delete: the count at the time of the question, or 0 if the answer is no. */
async function ask(url: string, filter: DeadLetterFilter, limit: number): Promise<number> {
  const { total, groups } = await indexedOr(
    async () => {
      const survey = new Survey(0);
      for await (const { letter } of deadLetterEntries(url, filter)) survey.add(letter);
      return survey.overview();
    },
    () => surveyDeadLetters(url, filter, 0),
  );
  const count = Math.min(total, limit);
  if (count === 0) return 0;
  if (!canAsk()) {
    const text = `would delete ${count}; add --yes to do it\n${groupTable(groups)}`;
    throw new WarrenError('ERR_CONFIG', text);
  }
  console.error(groupTable(groups));
  return (await confirm(`Delete ${count} for good? [y/N] `)) ? count : 0;
}
