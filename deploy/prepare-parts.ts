import { makeUsers } from 'warren/cli';
import { placeTopology, type Service, serviceTopology } from 'warren/topology';
import { migrateToLatest } from '../shared/database/migrate.ts';
import { grantFunctions } from '../shared/database/role.ts';
import { loadSampleUsers } from '../shared/database/sample.ts';
import { createS3Client } from '../shared/storage/s3.ts';
import type { StorageSettings } from '../shared/storage/settings.ts';
import { makeBucket } from './bucket.ts';
import { allowAccounts } from './bucket-policy.ts';

export interface PrepareOptions {
  amqpUrl: string;
  /** URL of the broker's management API; without it, no policy is set, and retries never wait in their queue. */
  managementUrl: string | undefined;
  databaseUrl: string;
  /** URL with the functions' login at the database, if they have one of their own. */
  functionsDatabaseUrl?: string | undefined;
  /** The storage to create the bucket in; none if undefined. */
  storage: StorageSettings | undefined;
  /** Whether to allow the storage's accounts, one for each group of functions, what the functions need. */
  accounts: boolean;
  /** The service whose topology is declared. */
  service: Service;
  /** Whether to create the users of the broker, and the functions' login at the database. */
  users: boolean;
  /** Whether to create sample users, friends and dog walkers. */
  samples: boolean;
}

export interface Prepared {
  exchanges: number;
  queues: number;
  /** What is not as declared at the broker, although it works without it, and why. */
  problems: readonly string[];
  users: Awaited<ReturnType<typeof makeUsers>>;
  /** Names of the migrations that ran. */
  migrations: readonly string[];
  /** What was done with the functions' login at the database, if they have one of their own. */
  login: 'created' | 'changed' | 'kept' | undefined;
  /** Number of sample users. */
  samples: number;
  /** Name of the bucket, if there is a storage. */
  bucket: string | undefined;
  /** The storage's accounts that may use the bucket, if that was wanted. */
  accounts: readonly string[];
}

/** Brings broker, database and storage into the state that the functions expect. A second run changes nothing. */
export async function prepareParts(options: PrepareOptions): Promise<Prepared> {
  const { storage, accounts } = options;
  const [broker, database, bucket] = await Promise.all([
    prepareBroker(options),
    prepareDatabase(options),
    storage ? prepareBucket(storage, { accounts }) : { bucket: undefined, accounts: [] },
  ]);
  return { ...broker, ...database, ...bucket };
}

/** Declares the topology of the service, and creates its users if that is wanted. */
export async function prepareBroker({
  amqpUrl,
  managementUrl,
  service,
  users,
}: Pick<PrepareOptions, 'amqpUrl' | 'managementUrl' | 'service' | 'users'>) {
  const topology = serviceTopology(service);
  const { problems } = await placeTopology(topology, { url: amqpUrl, managementUrl });
  return {
    exchanges: topology.exchanges.length,
    queues: topology.queues.length,
    problems,
    users: users ? await makeUsers(service) : [],
  };
}

/** Runs the migrations that have not run, and creates the functions' login and sample users if they are wanted. */
export async function prepareDatabase(
  options: Pick<PrepareOptions, 'databaseUrl' | 'functionsDatabaseUrl' | 'samples' | 'users'>,
) {
  const { databaseUrl, functionsDatabaseUrl, users, samples } = options;
  const migrations = await migrateToLatest(databaseUrl);
  const login =
    users && functionsDatabaseUrl ? await grantFunctions(databaseUrl, functionsDatabaseUrl) : undefined;
  return { migrations, login, samples: samples ? await loadSampleUsers(databaseUrl) : 0 };
}

/**
 * Creates the bucket, and gives the storage's accounts their rights to it if that is wanted.
 *
 * @returns the name of the bucket, and the accounts that got rights.
 */
export async function prepareBucket(
  storage: StorageSettings,
  { accounts }: Pick<PrepareOptions, 'accounts'>,
): Promise<{ bucket: string; accounts: string[] }> {
  const client = createS3Client(storage);
  const bucket = storage.S3_BUCKET;
  try {
    await makeBucket(client, bucket);
    return { bucket, accounts: accounts ? await allowAccounts(client, bucket) : [] };
  } finally {
    client.destroy();
  }
}
