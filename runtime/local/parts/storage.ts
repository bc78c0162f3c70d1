import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { findOnPath } from '../broker-install.ts';
import { StackError } from '../stack-error.ts';
import { answers, waitUntil } from '../wait.ts';
import { loadPackage, type PartOptions, type StartedPart } from './part.ts';

/** The part of the package `s3rver` that is used here. */
interface S3rver {
  default: new (options: {
    address: string;
    port: number;
    directory: string;
    silent: boolean;
  }) => { httpServer: Server; run(): Promise<unknown>; close(): Promise<void> };
}

export interface StorageOptions extends PartOptions {
  port: number;
  bucket: string;
  /** Of VersityGW's administrator. */
  password: string;
  /** The program, default VersityGW if it is installed, else s3rver. */
  program?: string | undefined;
  /** A script that starts VersityGW with further settings. STORAGE_ADDRESS and STORAGE_FOLDER are its variables besides the login. */
  script?: { path: string; env: Record<string, string | undefined> } | undefined;
}

type StoragePart = StartedPart<
  'S3_ENDPOINT' | 'S3_BUCKET' | 'AWS_REGION' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY'
>;

/**
 * Starts object storage: VersityGW if it is installed, else s3rver in this process.
 *
 * @throws StackError if the program is neither or not installed, or does not start.
 */
export async function startStorage(options: StorageOptions): Promise<StoragePart> {
  const { report, program } = options;
  if (program !== undefined && program !== 'versitygw' && program !== 's3rver') {
    throw new StackError(`WARREN_STORAGE: expected "versitygw" or "s3rver", got "${program}"`);
  }
  const versity = program === 's3rver' ? undefined : findOnPath('versitygw');
  if (versity) {
    report('storage', `S3_ENDPOINT is not set: starting ${versity}`);
    return startVersity(options, versity);
  }
  if (program === 'versitygw')
    throw new StackError('WARREN_STORAGE: expected versitygw on the PATH, got none');
  return startS3rver(options);
}

/** Makes the bucket of started storage, if it does not exist. */
export async function makeBucket({ env }: Pick<StoragePart, 'env'>): Promise<void> {
  const client = new AwsClient({
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    region: env.AWS_REGION,
    service: 's3',
    retries: 0,
  });
  const url = `${env.S3_ENDPOINT}/${env.S3_BUCKET}`;
  const { ok, status } = await client.fetch(url, { method: 'PUT', signal: AbortSignal.timeout(10_000) });
  // 409: it exists.
  if (ok || status === 409) return;
  throw new StackError(`the bucket ${env.S3_BUCKET} cannot be made: the storage answered with ${status}`);
}

async function startVersity(options: StorageOptions, program: string): Promise<StoragePart> {
  const { dataDir, port, password, signal, spawn, script } = options;
  const logFile = join(dataDir, 'logs', 'versitygw.log');
  const folder = join(dataDir, 'versitygw');
  await mkdir(folder, { recursive: true });
  const address = `127.0.0.1:${port}`;
  const child = spawn({
    name: 'versitygw',
    command: script ? 'sh' : program,
    args: script ? [script.path] : ['--port', address, '--health', '/health', '--quiet', 'posix', folder],
    logFile,
    env: {
      PATH: process.env['PATH'],
      ROOT_ACCESS_KEY_ID: 'warren',
      ROOT_SECRET_ACCESS_KEY: password,
      STORAGE_ADDRESS: address,
      STORAGE_FOLDER: folder,
      ...script?.env,
    },
  });
  const wait = { signal, child, hint: `see ${logFile}` };
  await waitUntil('VersityGW', () => answers(`http://${address}/health`), wait);
  return { ...addresses(options, 'warren', password), stop: () => child.stop() };
}

async function startS3rver(options: StorageOptions): Promise<StoragePart> {
  const { dataDir, port, report } = options;
  const advice = 'run npm install --save-dev s3rver, install versitygw, or set S3_ENDPOINT';
  const { default: S3rver } = await loadPackage<S3rver>('s3rver', advice);
  report('storage', 'S3_ENDPOINT is not set: starting s3rver in this process');
  const directory = join(dataDir, 's3');
  await mkdir(directory, { recursive: true });
  const server = new S3rver({ address: '127.0.0.1', port, directory, silent: true });
  await server.run();
  return {
    // The one pair of keys that s3rver knows.
    ...addresses(options, 'S3RVER', 'S3RVER'),
    async stop() {
      const closed = server.close();
      server.httpServer.closeAllConnections();
      await closed;
    },
  };
}

function addresses({ port, bucket }: StorageOptions, accessKey: string, secretKey: string) {
  const endpoint = `http://127.0.0.1:${port}`;
  const env = {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
  };
  return { env, address: endpoint };
}
