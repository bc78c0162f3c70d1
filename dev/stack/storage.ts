import { join } from 'node:path';
import { startStorage as startOwn } from '../../runtime/local/parts/storage.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import type { Part, StackContext } from './context.ts';
import { projectFile } from './project.ts';

export const defaultBucket = 'warren-pictures';

/**
 * Starts object storage: uses the user's own if S3_ENDPOINT is set, otherwise VersityGW if it is installed, otherwise s3rver
 * in this process. WARREN_STORAGE=versitygw or s3rver decides between the latter two.
 *
 * @throws StackError when something the user's storage needs is not set, or ours can't be started.
 */
export async function startStorage(context: StackContext): Promise<Part> {
  const { given, dataDir, ports, secrets } = context;
  if (given['S3_ENDPOINT']) return givenStorage(context, given['S3_ENDPOINT']);
  const program = given['WARREN_STORAGE'] || undefined;
  return startOwn({
    ...context,
    port: ports.s3,
    bucket: defaultBucket,
    password: secrets.storage,
    program,
    // The settings are those of the container.
    script: {
      path: projectFile('deploy/storage/start.sh'),
      env: { STORAGE_ACCOUNTS: join(dataDir, 'versitygw-accounts'), ...accountsOf(given) },
    },
  });
}

async function givenStorage({ given, report }: StackContext, endpoint: string): Promise<Part> {
  report('storage', 'using the storage of S3_ENDPOINT');
  const needed = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const missing = needed.filter((name) => !given[name]);
  if (missing.length > 0) throw new StackError(`S3_ENDPOINT is set: expected ${missing.join(', ')} too`);
  const env = {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: given['S3_BUCKET'] || defaultBucket,
    AWS_REGION: given['AWS_REGION'] || 'us-east-1',
    AWS_ACCESS_KEY_ID: given['AWS_ACCESS_KEY_ID'] ?? '',
    AWS_SECRET_ACCESS_KEY: given['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  return { env, address: endpoint, stop: async () => undefined };
}

/** Secrets of accounts with fewer rights than ours. */
const accountsOf = (given: StackContext['given']) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => name.startsWith('STORAGE_PASSWORD_')));
