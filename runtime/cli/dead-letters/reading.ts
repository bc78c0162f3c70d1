import type { Command } from 'commander';
import { print } from '../context.ts';
import { goneTable, groupTable, kindTable, letterTable, wholeLetter } from '../letter.ts';
import { selectedVhosts } from '../vhosts.ts';
import type { Overview } from './each-vhost.ts';
import type { Listing } from './page.ts';
import { reporter, warn } from './reports.ts';
import { missing, type Selection, wholeNumber } from './selection.ts';

const reasons =
  'only dead letters with this reason: rejected, exhausted, too-old, no-queue, unroutable, delivery_limit, ...';

// A command loads only what it uses: loading was more than half of its time.
const loadEach = () => import('./each-vhost.ts');
const loadPage = () => import('./page.ts');
const loadComplete = () => import('../../dead-letters/complete-index.ts');

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
      if (options.page !== undefined) return (await loadPage()).listPage(options, command);
      const { surveyEach } = await loadEach();
      const { queue, reason, error, limit } = options;
      const found = await surveyEach(await selectedVhosts(options), { queue, reason, error }, limit);
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
    .action(async ({ queue, reason, error, ...options }: Selection, command: Command) => {
      const { summarizeEach } = await loadEach();
      const kinds = await summarizeEach(await selectedVhosts(options), { queue, reason, error });
      print(command, kinds, () => (kinds.length === 0 ? 'no dead letters' : kindTable(kinds)));
    });

  letters
    .command('gone')
    .description(
      'list the dead letters that were replayed, dropped or found to be gone last, the latest first',
    )
    .option('-n, --limit <letters>', 'maximum number to list', wholeNumber, 50)
    .action(async ({ limit, ...options }: Listing, command: Command) => {
      const { goneEach } = await loadEach();
      const gone = await goneEach(await selectedVhosts(options), limit);
      print(command, gone, () =>
        gone.length === 0 ? 'no dead letter is known to be gone' : goneTable(gone),
      );
    });

  letters
    .command('show')
    .description('print a dead letter with its headers and body')
    .argument('<id>', 'id from the list')
    .option('-q, --queue <name>', 'the dead letter of this queue, if several have this id')
    .action(async (id: string, { queue, ...options }: Selection, command: Command) => {
      const { listEach } = await loadEach();
      const vhosts = await selectedVhosts(options);
      const [letter, ...others] = await listEach(vhosts, { id, queue });
      if (!letter) throw missing([id]);
      print(command, letter, () => wholeLetter(letter));
      if (others.length > 0) {
        const queues = others.map((other) => `"${other.queue}"`);
        const places = others.map((other) => `"${other.queue}" in virtual host "${other.vhost}"`);
        const several = vhosts.length > 1;
        const from = [...new Set(several ? places : queues)].join(', ');
        const advice = several ? 'name one with --queue and --vhost' : 'name one with --queue';
        warn(`${others.length} more with this id, from ${from}: ${advice}`);
      }
    });

  letters
    .command('reindex')
    .description(
      'compare the index with the queue: add what is missing, mark what is gone; reads the whole queue once',
    )
    .action(async (options: Selection, command: Command) => {
      const [{ reindexEach }, { notIndexed }] = await Promise.all([loadEach(), loadComplete()]);
      const done = await reindexEach(await selectedVhosts(options), reporter());
      const total = done.reduce((sum, each) => sum + each.total, 0);
      const added = done.reduce((sum, each) => sum + each.added, 0);
      const failed = done.flatMap((each) => each.failed);
      const result = { total, added, failed, vhosts: done };
      print(command, result, () => `${total} dead letters, ${added} of them added to the index`);
      for (const problem of notIndexed(failed)) warn(problem);
    });
}

function overviewText({ total, groups, letters }: Overview): string {
  if (total === 0) return 'no dead letters';
  const more = total - letters.length;
  return [
    groupTable(groups),
    ...(letters.length > 0 ? [letterTable(letters)] : []),
    ...(more > 0 ? [`and ${more} more; --page lists all of them in pages, --queue and --reason others`] : []),
  ].join('\n\n');
}
