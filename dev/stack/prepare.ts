import { readFile } from 'node:fs/promises';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import pRetry from 'p-retry';
import { prepareBroker, prepareBucket, prepareDatabase } from '../../deploy/prepare-parts.ts';
import { isUnavailable } from '../../runtime/base/unavailable.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { readService } from '../../runtime/topology/service-file.ts';
import { createS3Client } from '../../shared/storage/s3.ts';
import { type StorageSettings, storageSettings } from '../../shared/storage/settings.ts';
import { projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

/** The picture that the sample events in test/support/events and the clients in other languages refer to. */
const samplePicture = 'originals/123456.jpg';

/** Declares the topology at the broker. A second run changes nothing. @returns what is in place, for people. */
export async function fillBroker({ AMQP_URL = '', AMQP_MANAGEMENT_URL }: Partial<StackEnv>): Promise<string> {
  const { exchanges, queues, problems } = await prepareBroker({
    amqpUrl: AMQP_URL,
    managementUrl: AMQP_MANAGEMENT_URL,
    service: await readService(projectFile('serverless.yml')),
    users: false,
  });
  return [`${exchanges} exchanges and ${queues} queues are in place`, ...problems].join('; ');
}

/** Migrates the database and adds sample users, as `fillBroker`. */
export async function fillDatabase({ DATABASE_URL = '' }: Partial<StackEnv>): Promise<string> {
  const prepare = () => prepareDatabase({ databaseUrl: DATABASE_URL, samples: true, users: false });
  // While all parts start, a busy machine may take longer for a connection than functions wait for one.
  const { migrations, samples } = await pRetry(prepare, {
    retries: 3,
    shouldRetry: ({ error }) => isUnavailable(error),
  });
  const ran = migrations.length > 0 ? `ran ${migrations.join(', ')}` : 'up to date';
  return `migrations: ${ran}; ${samples} sample users with friends exist`;
}

/** Makes the bucket with a sample picture, as `fillBroker`. */
export async function fillStorage(env: Partial<StackEnv>): Promise<string> {
  const { storage } = readSettings({ storage: storageSettings }, env);
  const { bucket } = await prepareBucket(storage, { accounts: false });
  await addSamplePicture(storage);
  return `bucket ${bucket} is in place and contains ${samplePicture}`;
}

async function addSamplePicture(storage: StorageSettings): Promise<void> {
  const client = createS3Client(storage);
  const sample = { Bucket: storage.S3_BUCKET, Key: samplePicture };
  try {
    await client.send(new HeadObjectCommand(sample)).catch(async () => {
      const Body = await readFile(projectFile('assets/demo.jpg'));
      await client.send(new PutObjectCommand({ ...sample, Body, ContentType: 'image/jpeg' }));
    });
  } finally {
    client.destroy();
  }
}
