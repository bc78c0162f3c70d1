import { type Command, InvalidArgumentError } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { escapeControls } from '../../base/visible.ts';
import type { DeadLetterKey } from '../../dead-letters/dead-letters.ts';
import type { DeadLetterFilter, Progress } from '../../dead-letters/visit.ts';
import { canAsk, confirm } from '../confirm.ts';
import { print } from '../context.ts';
import { groupTable, letterTable, stayedText, wholeLetter } from '../letter.ts';
import { dropEach, listEach, replayEach, surveyEach } from '../vhost-letters.ts';
import { selectedVhosts, type Vhost, type VhostsOptions, vhostsOptions } from '../vhosts.ts';

interface Selection extends VhostsOptions {
  queue?: string;
  reason?: string;
  all?: boolean;
}

export function register(program: Command): void {
  const letters = program
    .command('dead-letters')
    .description('list, show, replay or drop dead-lettered messages')
    .addHelpText(
      'after',
      `
Examples:
  warren dead-letters list --queue ship-parcel
  warren dead-letters list --vhost orders
  warren dead-letters show 0f8fad5b-d9cb-469f-a165-70867728950e
  warren dead-letters replay --queue ship-parcel --reason too-old
  warren dead-letters replay --queue ship-parcel --to ship-parcel-v2 --limit 100
  warren dead-letters drop 0f8fad5b-d9cb-469f-a165-70867728950e --yes`,
    );

  letters
    .command('list')
    .description('count dead letters by queue and reason, and list the oldest')
    .option('-q, --queue <name>', 'only dead letters of this queue')
    .option(
      '-r, --reason <reason>',
      'only dead letters with this reason: rejected, exhausted, too-old, no-queue, delivery_limit, ...',
    )
    .option('-n, --limit <letters>', 'maximum number of dead letters to list; 0 only counts', limit, 50)
    .action(async (options: Selection & { limit: number }, command: Command) => {
      const { queue, reason } = options;
      const found = await surveyEach(await selectedVhosts(options), { queue, reason }, options.limit);
      print(command, found, () => {
        if (found.total === 0) return 'no dead letters';
        const more = found.total - found.letters.length;
        return [
          groupTable(found.groups),
          ...(found.letters.length > 0 ? [letterTable(found.letters)] : []),
          ...(more > 0
            ? [`and ${more} more; --limit <letters> lists more, --queue and --reason others`]
            : []),
        ].join('\n\n');
      });
    });

  letters
    .command('show')
    .description('print a dead letter with its headers and body')
    .argument('<id>', 'id from the list')
    .option('-q, --queue <name>', 'the dead letter of this queue, if several have this id')
    .action(async (id: string, { queue, ...options }: Selection, command: Command) => {
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
        const text = `${others.length} more with this id, from ${from}: ${advice}`;
        console.error(escapeControls(`warren: ${text}`));
      }
    });

  letters
    .command('replay')
    .description('return dead letters to the queues they came from, and reset their attempts')
    .argument('[ids...]', 'ids from the list')
    .option('-q, --queue <name>', 'all dead letters of this queue')
    .option('-r, --reason <reason>', 'only dead letters with this reason')
    .option('--all', 'all dead letters')
    .option('-n, --limit <letters>', 'maximum number of dead letters to put back', limit)
    .option('-t, --to <queue>', 'put them into this queue instead')
    .action(async (ids: string[], options: Selection & { limit?: number; to?: string }, command: Command) => {
      const { limit, to } = options;
      const progress = reporter();
      const filter = selection(ids, options);
      const done = await replayEach(await selectedVhosts(options), filter, { progress, limit, to });
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
    .option('--all', 'all dead letters')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(async (ids: string[], options: Selection & { yes?: boolean }, command: Command) => {
      const filter = selection(ids, options);
      const vhosts = await selectedVhosts(options);
      const agreed = options.yes ? undefined : await ask(vhosts, filter);
      const done = await dropEach(vhosts, filter, agreed && ((vhost) => agreed.get(vhost) ?? 0));
      print(command, { dropped: done.length, letters: done }, () => `deleted ${done.length}`);
      if (agreed?.size !== 0) requireAll(ids, done);
    });

  for (const command of letters.commands) for (const option of vhostsOptions()) command.addOption(option);
}

/** @returns the maximum number to delete by virtual host: the count at the time of the question; empty if the answer is no. */
async function ask(vhosts: readonly Vhost[], filter: DeadLetterFilter): Promise<Map<string, number>> {
  const { total, groups } = await surveyEach(vhosts, filter, 0);
  const counts = new Map<string, number>();
  if (total === 0) return counts;
  if (!canAsk()) {
    const text = `would delete ${total}; add --yes to do it\n${groupTable(groups)}`;
    throw new WarrenError('ERR_CONFIG', text);
  }
  console.error(groupTable(groups));
  if (!(await confirm(`Delete ${total} for good? [y/N] `))) return counts;
  for (const { vhost, count } of groups) counts.set(vhost, (counts.get(vhost) ?? 0) + count);
  return counts;
}

function selection(ids: readonly string[], { queue, reason, all }: Selection): DeadLetterFilter {
  if (ids.length === 0 && queue === undefined && !all) {
    throw new WarrenError('ERR_CONFIG', 'which ones? Name ids, --queue <name> or --all');
  }
  if (all && (ids.length > 0 || queue !== undefined)) {
    throw new WarrenError('ERR_CONFIG', '--all means all: leave it out, or the ids and --queue');
  }
  return { id: ids.length > 0 ? ids : undefined, queue, reason };
}

function requireAll(ids: readonly string[], found: readonly DeadLetterKey[]): void {
  const known = new Set(found.map(({ id }) => id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) throw missing(unknown);
}

function missing(ids: readonly string[]): WarrenError {
  const names = ids.map((id) => `"${id}"`).join(', ');
  return new WarrenError('ERR_CONFIG', `there is no dead letter with id ${names}`);
}

/** Reports progress on stderr every two seconds, so that a quick command prints none. */
function reporter(): Progress {
  let saidAt = Date.now();
  return (looked, total, meant) => {
    if (Date.now() - saidAt < 2000) return;
    saidAt = Date.now();
    console.error(`looked at ${looked} of ${total}, ${meant} of them were meant`);
  };
}

function limit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number');
}
