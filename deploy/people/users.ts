import type { Command } from 'commander';
import { environment, print, table } from 'warren/cli';
import { readSettings, WarrenError } from 'warren/functions';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';
import { AccountError, listAccounts, saveAccount } from '../../shared/users/accounts.ts';
import { parseEmail, parseId, parseName, parseSubject } from './arguments.ts';
import { withDatabase } from './open.ts';
import { exportPerson, type Forgotten, forgetPerson } from './person.ts';

interface AddOptions {
  id?: number;
  name?: string;
  email?: string;
  issuer?: string;
  subject?: string;
}

export function register(program: Command): void {
  const users = program.command('users').description('the people who use the functions');

  users
    .command('add')
    .description(
      "add a user, or change the one with the id; an issuer's users are added with their first valid token",
    )
    .option('--id <id>', 'id of the user, default a new one', parseId)
    .option('--name <name>', 'name that friends see; required for a new user', parseName)
    .option('--email <address>', 'address for mails about pictures of friends', parseEmail)
    .option(
      '--subject <subject>',
      "the user's `sub` at the issuer: that person becomes this user",
      parseSubject,
    )
    .option('--issuer <url>', 'issuer of the subject, default AUTH_ISSUER')
    .addHelpText(
      'after',
      `
Examples:
  warren users add --name Ada --email ada@example.com
  warren users add --id 7 --subject 'auth0|65f1c0ffee'`,
    )
    .action(
      async (
        { subject, issuer = environment()['AUTH_ISSUER'], ...account }: AddOptions,
        command: Command,
      ) => {
        if (subject !== undefined && issuer === undefined) {
          throw new AccountError('issuer: expected --issuer or AUTH_ISSUER beside the subject, got nothing');
        }
        const identity = subject === undefined || issuer === undefined ? undefined : { issuer, subject };
        const id = await withDatabase((db) => saveAccount(db, { ...account, identity }));
        print(command, { id }, () => `user ${id} is in place`);
      },
    );

  users
    .command('list')
    .description('list users by id')
    .option('--after <id>', 'continue after this id', parseId)
    .option('--limit <number>', 'number of users', parseId, 100)
    .action(async ({ after = 0, limit }: { after?: number; limit: number }, command: Command) => {
      const found = await withDatabase((db) => listAccounts(db, { after, limit }));
      print(command, { users: found }, () =>
        table(
          ['id', 'name', 'email', 'identities'],
          found.map(({ id, name, email, identities }) => [
            String(id),
            name,
            email ?? '',
            identities.map(({ issuer, subject }) => `${issuer} ${subject}`).join(', '),
          ]),
        ),
      );
    });

  users
    .command('export')
    .description('print everything that is stored about a user, as JSON by table')
    .argument('<id>', 'id of the user', parseId)
    .action(async (id: number) => {
      const stored = await withDatabase((db) => exportPerson(db, id));
      console.log(JSON.stringify(stored, null, 2));
    });

  users
    .command('forget')
    .description('delete a user with all pictures, and remove the user from bookings')
    .argument('<id>', 'id of the user', parseId)
    .option('-y, --yes', 'confirms that it cannot be undone', false)
    .addHelpText(
      'after',
      `
Revoke the person's access at the issuer first: another valid token would make a new user. A command that failed is repeated.
Messages that wait in queues and dead letters may still name the id of the user.

Example:
  warren users forget 7 --yes`,
    )
    .action(async (id: number, { yes }: { yes: boolean }, command: Command) => {
      if (!yes)
        throw new WarrenError(
          'ERR_APP_UNCONFIRMED',
          `user ${id} would be deleted for good: add --yes to do it`,
        );
      const { storage } = readSettings({ storage: storageSettings }, environment());
      const forgotten = await withDatabase((db) => forgetPerson({ db, storage: createStorage(storage) }, id));
      print(command, forgotten, () => describe(id, forgotten).join('\n'));
    });
}

function describe(id: number, { pictures, rows, canceled }: Forgotten): string[] {
  return [
    `user ${id} is forgotten: ${pictures} pictures and ${rows} other rows`,
    ...canceled.map(
      ({ walker, starts_at }) =>
        `canceled: ${walker ?? 'a walker'} expects a walk at ${starts_at.toISOString()}`,
    ),
  ];
}
