import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import S3rver from 's3rver';
import { findOnPath } from '../../runtime/local/broker-install.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import { answers, waitUntil } from '../../runtime/local/wait.ts';
import type { Part, StackContext } from './context.ts';

export const defaultBucket = 'warren-pictures';
const region = 'us-east-1';

/**
 * Starts object storage: uses the user's own if S3_ENDPOINT is set, otherwise MinIO if it is installed, otherwise s3rver in
 * this process. WARREN_STORAGE=minio or s3rver decides between the latter two.
 *
 * @throws StackError when something the user's storage needs is not set, or ours can't be started.
 */
export async function startStorage(context: StackContext): Promise<Part> {
  const { given, report } = context;
  if (given['S3_ENDPOINT']) return givenStorage(context, given['S3_ENDPOINT']);
  const wanted = given['WARREN_STORAGE'] || undefined;
  if (wanted !== undefined && wanted !== 'minio' && wanted !== 's3rver') {
    throw new StackError(`WARREN_STORAGE: expected "minio" or "s3rver", got "${wanted}"`);
  }
  const minio = wanted === 's3rver' ? undefined : findOnPath('minio');
  if (minio) {
    report('storage', `no S3_ENDPOINT: starting ${minio}`);
    return startMinio(context, minio);
  }
  if (wanted === 'minio') throw new StackError('WARREN_STORAGE=minio, and there is no minio on the PATH');
  report('storage', 'no S3_ENDPOINT and no minio here: starting s3rver in this process');
  return startS3rver(context);
}

async function givenStorage({ given, report }: StackContext, endpoint: string): Promise<Part> {
  report('storage', 'using the storage of S3_ENDPOINT');
  const needed = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const missing = needed.filter((name) => !given[name]);
  if (missing.length > 0) throw new StackError(`S3_ENDPOINT is set: expected ${missing.join(', ')} too`);
  const env = {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: given['S3_BUCKET'] || defaultBucket,
    AWS_REGION: given['AWS_REGION'] || region,
    AWS_ACCESS_KEY_ID: given['AWS_ACCESS_KEY_ID'] ?? '',
    AWS_SECRET_ACCESS_KEY: given['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  return { env, address: endpoint, stop: async () => undefined };
}

async function startMinio(context: StackContext, command: string): Promise<Part> {
  const { dataDir, ports, secrets, signal } = context;
  const logFile = join(dataDir, 'logs', 'minio.log');
  const folder = join(dataDir, 'minio');
  await mkdir(folder, { recursive: true });
  const child = context.spawn({
    name: 'minio',
    command,
    args: ['server', '--address', `127.0.0.1:${ports.s3}`, folder],
    logFile,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      MINIO_ROOT_USER: 'warren',
      MINIO_ROOT_PASSWORD: secrets.storage,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
  });
  const endpoint = `http://127.0.0.1:${ports.s3}`;
  await waitUntil('MinIO', () => answers(`${endpoint}/minio/health/ready`), {
    signal,
    child,
    hint: `see ${logFile}`,
  });
  return {
    env: storageEnv(endpoint, 'warren', secrets.storage),
    address: endpoint,
    stop: () => child.stop(),
  };
}

async function startS3rver({ dataDir, ports }: StackContext): Promise<Part> {
  const directory = join(dataDir, 's3');
  await mkdir(directory, { recursive: true });
  const server = new S3rver({ address: '127.0.0.1', port: ports.s3, directory, silent: true });
  await server.run();
  const endpoint = `http://127.0.0.1:${ports.s3}`;
  return {
    // The one pair of keys that s3rver knows.
    env: storageEnv(endpoint, 'S3RVER', 'S3RVER'),
    address: endpoint,
    async stop() {
      const closed = server.close();
      server.httpServer.closeAllConnections();
      await closed;
    },
  };
}

function storageEnv(endpoint: string, accessKey: string, secretKey: string): Part['env'] {
  return {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: defaultBucket,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
  };
}
