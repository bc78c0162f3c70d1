import type { Command } from 'commander';
import type { DeadLetter } from '../../dead-letters/dead-letter.ts';
import {
  countDeadLetters,
  type DeadLetterOverview,
  listDeadLetters,
  Survey,
  surveyDeadLetters,
} from '../../dead-letters/dead-letters.ts';
import { type DeadLetterEntry, deadLetterEntries } from '../../dead-letters/entries.ts';
import type { DeadLetterFilter } from '../../dead-letters/filter.ts';
import { reindexDeadLetters } from '../../dead-letters/reindex.ts';
import { groupDeadLetters } from '../../dead-letters/summary.ts';
import { print, required } from '../context.ts';
import { groupTable, kindTable, letterTable, wholeLetter } from '../letter.ts';
import { reportFailed } from './complete-index.ts';
import { type Listing, listPage, reported } from './page.ts';
import { indexedOr, missing, reporter, type Selection, warn, wholeNumber } from './selection.ts';

const reasons =
  'only dead letters with this reason: rejected, exhausted, too-old, no-queue, delivery_limit, ...';

/** Adds the subcommands that only read. They read the index, and take no message from the queue. */
export function registerReading(letters: Command): void {
  letters
    .command('list')
    .description('count dead letters by queue and reason, and list the oldest, or list one page')
    .option('-q, --queue <name>', 'only dead letters of this queue')
    .option('-r, --reason <reason>', reasons)
    .option('-e, --error <text>', "only dead letters with this text in the error's first line")
    .option('-n, --limit <letters>', 'maximum number of dead letters to list; 0 only counts', wholeNumber, 50)
    .option(
      '-p, --page [after]',
      'list one page of --limit dead letters without the counts; a page ends with the value for the next one',
      wholeNumber,
    )
    .action(async (options: Listing, command: Command) => {
      if (options.page !== undefined) return listPage(options, command);
      const { queue, reason, error, limit } = options;
      const filter = { queue, reason, error };
      const url = required('AMQP_URL');
      const found = await indexedOr(
        () => survey(url, filter, limit),
        () => surveyDeadLetters(url, filter, limit),
      );
      print(command, found, () => overviewText(found));
    });

  letters
    .command('summary')
    .description(
      "count dead letters by queue, reason and the error's first line, with the first and the last",
    )
    .option('-q, --queue <name>', 'only dead letters of this queue')
    .option('-r, --reason <reason>', reasons)
    .option('-e, --error <text>', "only dead letters with this text in the error's first line")
    .action(async ({ queue, reason, error }: Selection, command: Command) => {
      const filter = { queue, reason, error };
      const url = required('AMQP_URL');
      const kinds = await indexedOr(
        () => groupDeadLetters(reported(deadLetterEntries(url, filter))),
        async () => groupDeadLetters(wrapped(await listDeadLetters(url, filter, Number.POSITIVE_INFINITY))),
      );
      print(command, kinds, () => (kinds.length === 0 ? 'no dead letters' : kindTable(kinds)));
    });

  letters
    .command('show')
    .description('print a dead letter with its headers and body')
    .argument('<id>', 'id from the list')
    .option('-q, --queue <name>', 'the dead letter of this queue, if several have this id')
    .action(async (id: string, { queue }: Selection, command: Command) => {
      const url = required('AMQP_URL');
      const [letter, ...others] = await indexedOr(
        () => lettersOf(reported(deadLetterEntries(url, { id, queue }))),
        () => listDeadLetters(url, { id, queue }),
      );
      if (!letter) throw missing([id]);
      print(command, letter, () => wholeLetter(letter));
      if (others.length > 0) {
        const from = [...new Set(others.map((other) => `"${other.queue}"`))].join(', ');
        warn(`${others.length} more with this id, from ${from}: name one with --queue`);
      }
    });

  letters
    .command('reindex')
    .description(
      'compare the index with the queue: add what is missing, mark what is gone; reads the whole queue once',
    )
    .action(async (_options: object, command: Command) => {
      const done = await reindexDeadLetters(required('AMQP_URL'), reporter());
      print(command, done, () => `${done.total} dead letters, ${done.added} of them added to the index`);
      reportFailed(done.failed);
    });
}

async function survey(url: string, filter: DeadLetterFilter, limit: number): Promise<DeadLetterOverview> {
  const found = new Survey(limit);
  for await (const { letter } of reported(deadLetterEntries(url, filter))) found.add(letter);
  const overview = found.overview();
  const isWhole = Object.values(filter).every((each) => each === undefined);
  const queued = isWhole ? await countDeadLetters(url) : undefined;
  if (queued !== undefined && queued !== overview.total) {
    const counts = `the queue has ${queued} dead letters, the index ${overview.total}`;
    warn(`${counts}: if no other command works on them, run: warren dead-letters reindex`);
  }
  return overview;
}

function overviewText({ total, groups, letters }: DeadLetterOverview): string {
  if (total === 0) return 'no dead letters';
  const more = total - letters.length;
  return [
    groupTable(groups),
    ...(letters.length > 0 ? [letterTable(letters)] : []),
    ...(more > 0 ? [`and ${more} more; --page lists all of them in pages, --queue and --reason others`] : []),
  ].join('\n\n');
}

async function* wrapped(letters: readonly DeadLetter[]): AsyncGenerator<{ letter: DeadLetter }> {
  for (const letter of letters) yield { letter };
}

async function lettersOf(entries: AsyncIterable<DeadLetterEntry>): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const { letter } of entries) letters.push(letter);
  return letters;
}
