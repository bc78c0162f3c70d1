import type { Command } from 'commander';
import { addServiceOptions, environment, print, type ServiceOptions, selectedService } from 'warren/cli';
import { brokerSettings, readSettings, WarrenError } from 'warren/functions';
import { databaseSettings } from '../shared/database/resource.ts';
import { storageSettings } from '../shared/storage/settings.ts';
import { type Prepared, prepareParts } from './prepare-parts.ts';

interface Options extends ServiceOptions {
  users: boolean;
  samples: boolean;
  bucket: boolean;
  accounts: boolean;
}

export function register(program: Command): void {
  addServiceOptions(program.command('prepare'))
    .description(
      'bring broker, database and storage into the state that the functions expect; a second run changes nothing',
    )
    .option(
      '-u, --users',
      'create the users of the broker too, as `warren topology apply --users` does, and the login of FUNCTIONS_DATABASE_URL',
      false,
    )
    .option('--no-bucket', 'do not create the bucket, if another tool creates it')
    .option(
      '--accounts',
      'allow the accounts of the storage, named as the groups of functions (http, schedule, resize, rpc), what their functions need',
      false,
    )
    .option('--samples', 'create users, friends and dog walkers to experiment with', false)
    .addHelpText(
      'after',
      `
Run this before the functions, at the first start and at each upgrade. It needs logins with the necessary rights: AMQP_URL
(and AMQP_MANAGEMENT_URL) of an administrator, DATABASE_URL of the owner of the tables, and storage keys that may create a
bucket. With --users, FUNCTIONS_DATABASE_URL is the DATABASE_URL of the functions: its login is created if necessary, and may read and
write rows, but not change tables. --accounts sets the bucket's policy, for a storage with accounts of its own, such as VersityGW: the
functions then need no key of an administrator.

Example:
  warren prepare --users`,
    )
    .action(async ({ users, samples, bucket, accounts, ...selected }: Options, command: Command) => {
      // Reports every missing setting before it changes anything.
      const settings = readSettings(
        { broker: brokerSettings, database: databaseSettings, ...(bucket && { storage: storageSettings }) },
        environment(),
      );
      const result = await prepareParts({
        amqpUrl: settings.broker.AMQP_URL,
        managementUrl: environment()['AMQP_MANAGEMENT_URL'],
        databaseUrl: settings.database.DATABASE_URL,
        functionsDatabaseUrl: functionsUrl(environment()['FUNCTIONS_DATABASE_URL']),
        storage: settings.storage,
        accounts,
        service: await selectedService(selected),
        users,
        samples,
      });
      print(command, result, () => describe(result).join('\n'));
    });
}

/** @throws WarrenError ERR_CONFIG for a URL without a user and a password. */
function functionsUrl(text = ''): string | undefined {
  if (text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLogin = (each: string) => /^(?:[^%]|%[\da-f]{2})+$/i.test(each);
  if (url && /^postgres(ql)?:$/.test(url.protocol) && isLogin(url.username) && isLogin(url.password))
    return text;
  const expected = 'expected a URL such as postgres://functions:password@host:5432/warren';
  throw new WarrenError('ERR_CONFIG', `FUNCTIONS_DATABASE_URL: ${expected}, got something else`);
}

function describe({
  queues,
  problems,
  users,
  migrations,
  login,
  samples,
  bucket,
  accounts,
}: Prepared): string[] {
  return [
    `broker: ${queues} queues are in place`,
    ...problems.map((problem) => `broker: ${problem}`),
    ...users.map(
      ({ name, was, password }) => `user ${name}: ${was}${password ? `, password ${password}` : ''}`,
    ),
    `database: ${migrations.length > 0 ? `ran ${migrations.join(', ')}` : 'up to date'}`,
    ...(login === undefined ? [] : [`database: the login of the functions: ${login}`]),
    ...(samples > 0 ? [`database: ${samples} users with friends exist`] : []),
    ...(bucket === undefined ? [] : [`storage: bucket ${bucket} is in place`]),
    ...(accounts.length === 0 ? [] : [`storage: ${accounts.join(', ')} may use it as their functions need`]),
  ];
}
