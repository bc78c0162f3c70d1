import type { Command } from 'commander';
import { print, table } from 'warren/cli';
import { addWalker, listWalkers, removeWalker, type Walker } from '../../shared/bookings/walkers.ts';
import { parseEmail, parseId, parseName, parsePhone } from './arguments.ts';
import { withDatabase } from './open.ts';

export function register(program: Command): void {
  const walkers = program.command('walkers').description('the people who walk dogs');

  walkers
    .command('add')
    .description('add a walker, who gets walks from now on')
    .requiredOption('--name <name>', 'name that customers see', parseName)
    .requiredOption('--email <address>', 'address for mails about walks', parseEmail)
    .option('--phone <number>', 'number for text messages, such as +15550101; default none', parsePhone)
    .action(async ({ phone = null, ...walker }: Omit<Walker, 'id'>, command: Command) => {
      const id = await withDatabase((db) => addWalker(db, { ...walker, phone }));
      print(command, { id }, () => `walker ${id} is in place`);
    });

  walkers
    .command('list')
    .description('list walkers by id')
    .action(async (_options: object, command: Command) => {
      const found = await withDatabase(listWalkers);
      print(command, { walkers: found }, () =>
        table(
          ['id', 'name', 'email', 'phone'],
          found.map(({ id, name, email, phone }) => [String(id), name, email, phone ?? '']),
        ),
      );
    });

  walkers
    .command('remove')
    .description('remove a walker without walks ahead; past walks stay without the name')
    .argument('<id>', 'id of the walker', parseId)
    .action(async (id: number, _options: object, command: Command) => {
      const removed = await withDatabase((db) => removeWalker(db, id));
      print(command, { id, removed }, () =>
        removed ? `walker ${id} is removed` : `there is no walker ${id}`,
      );
    });
}
