import type { Command } from 'commander';
import { WarrenError } from '../../shared/errors.ts';
import {
  type DeadLetter,
  dropDeadLetters,
  type LetterFilter,
  listDeadLetters,
  replayDeadLetters,
} from '../../shared/rabbitmq/dead-letters.ts';
import { print, required } from '../context.ts';
import { table } from '../table.ts';

interface Selection {
  queue?: string;
  all?: boolean;
  yes?: boolean;
}

export function register(program: Command): void {
  const letters = program
    .command('dead-letters')
    .description('messages that were given up: list, read, put back or delete them')
    .addHelpText(
      'after',
      `
Examples:
  warren dead-letters list --queue resize-picture
  warren dead-letters show 0f8fad5b-d9cb-469f-a165-70867728950e
  warren dead-letters replay --queue notify-friends
  warren dead-letters drop 0f8fad5b-d9cb-469f-a165-70867728950e --yes`,
    );

  letters
    .command('list')
    .description('list them, oldest first')
    .option('-q, --queue <name>', 'only those that came from this queue')
    .action(async ({ queue }: Selection, command: Command) => {
      const found = await listDeadLetters(required('AMQP_URL'), { queue });
      print(command, found, () => (found.length === 0 ? 'no dead letters' : summary(found)));
    });

  letters
    .command('show')
    .description('print one whole, headers and all')
    .argument('<id>', 'its id in the list')
    .action(async (id: string, _options: unknown, command: Command) => {
      const [letter] = await listDeadLetters(required('AMQP_URL'), { id });
      if (!letter) throw new WarrenError('ERR_CONFIG', `there is no dead letter with id "${id}"`);
      print(command, letter, () => JSON.stringify(letter, null, 2));
    });

  letters
    .command('replay')
    .description('put them back into the queues they came from, attempts counted anew')
    .argument('[id]', 'its id in the list')
    .option('-q, --queue <name>', 'all that came from this queue')
    .option('--all', 'all there are')
    .action(async (id: string | undefined, options: Selection, command: Command) => {
      const done = await replayDeadLetters(required('AMQP_URL'), selection(id, options));
      print(command, done, () => `put back ${done.length}`);
    });

  letters
    .command('drop')
    .description('delete them for good')
    .argument('[id]', 'its id in the list')
    .option('-q, --queue <name>', 'all that came from this queue')
    .option('--all', 'all there are')
    .option('-y, --yes', 'do it; without, only say what would be deleted')
    .action(async (id: string | undefined, options: Selection, command: Command) => {
      const filter = selection(id, options);
      const url = required('AMQP_URL');
      const done = options.yes ? await dropDeadLetters(url, filter) : await listDeadLetters(url, filter);
      print(command, { dropped: options.yes === true, letters: done }, () =>
        options.yes ? `deleted ${done.length}` : `would delete ${done.length}; add --yes to do it`,
      );
    });
}

function selection(id: string | undefined, { queue, all }: Selection): LetterFilter {
  if (id === undefined && queue === undefined && !all) {
    throw new WarrenError('ERR_CONFIG', 'which ones? Name an id, --queue <name> or --all');
  }
  return { id, queue };
}

function summary(letters: DeadLetter[]): string {
  const rows = letters.map(({ id, queue, reason, attempts, error, lastFailedAt }) => [
    id,
    queue,
    reason,
    String(attempts ?? ''),
    lastFailedAt ?? '',
    (error ?? '').slice(0, 70),
  ]);
  return table(['id', 'queue', 'reason', 'attempts', 'last failed', 'error'], rows);
}
