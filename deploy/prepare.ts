import type { Command } from 'commander';
import { environment, makeUsers, print } from 'warren/cli';
import { brokerSettings, readSettings } from 'warren/functions';
import { applyTopology, readTopology } from 'warren/topology';
import { migrateToLatest } from '../shared/database/migrate.ts';
import { databaseSettings } from '../shared/database/resource.ts';
import { loadSampleUsers } from '../shared/database/sample.ts';
import { createS3Client } from '../shared/storage/s3.ts';
import { type StorageSettings, storageSettings } from '../shared/storage/settings.ts';
import { makeBucket } from './bucket.ts';

interface Options {
  config: string;
  users: boolean;
  samples: boolean;
  bucket: boolean;
}

export function register(program: Command): void {
  program
    .command('prepare')
    .description(
      'bring broker, database and storage into the state that the functions expect; changes nothing twice',
    )
    .option('-c, --config <path>', 'the serverless.yml that holds the topology', 'serverless.yml')
    .option('-u, --users', 'make the users of the broker too, as `warren topology apply --users`', false)
    .option('--no-bucket', 'leave the bucket alone: somebody else makes it')
    .option('--samples', 'users, friends and dog walkers to try things with', false)
    .addHelpText(
      'after',
      `
To be run before the functions, at the first start and at each upgrade, with logins that may do so: AMQP_URL (and
AMQP_MANAGEMENT_URL) an administrator's, DATABASE_URL that of the owner of the tables, the keys of the storage some that may
make a bucket.

Example:
  warren prepare --users`,
    )
    .action(async ({ config, users, samples, bucket }: Options, command: Command) => {
      // All that is missing is named before anything is changed.
      const settings = readSettings(
        { broker: brokerSettings, database: databaseSettings, ...(bucket && { storage: storageSettings }) },
        environment(),
      );
      const { AMQP_URL } = settings.broker;
      const { DATABASE_URL } = settings.database;
      const topology = await readTopology(config);
      await applyTopology(AMQP_URL, topology);
      const result = {
        queues: topology.queues.length,
        users: users ? await makeUsers(config) : [],
        migrations: await migrateToLatest(DATABASE_URL),
        samples: samples ? await loadSampleUsers(DATABASE_URL) : 0,
        bucket: settings.storage ? await bucketIn(settings.storage) : undefined,
      };
      print(command, result, () => describe(result).join('\n'));
    });
}

async function bucketIn(storage: StorageSettings): Promise<string> {
  const client = createS3Client(storage);
  await makeBucket(client, storage.S3_BUCKET);
  client.destroy();
  return storage.S3_BUCKET;
}

interface Result {
  queues: number;
  users: Awaited<ReturnType<typeof makeUsers>>;
  migrations: readonly string[];
  samples: number;
  bucket: string | undefined;
}

function describe({ queues, users, migrations, samples, bucket }: Result): string[] {
  return [
    `broker: ${queues} queues are in place`,
    ...users.map(
      ({ name, was, password }) => `user ${name}: ${was}${password ? `, password ${password}` : ''}`,
    ),
    `database: ${migrations.length > 0 ? `ran ${migrations.join(', ')}` : 'up to date'}`,
    ...(samples > 0 ? [`database: ${samples} users with friends are there`] : []),
    ...(bucket === undefined ? [] : [`storage: bucket ${bucket} is in place`]),
  ];
}
