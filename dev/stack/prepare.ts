import { readFile } from 'node:fs/promises';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { makeBucket } from '../../deploy/bucket.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { readTopology } from '../../runtime/topology/service-file.ts';
import { migrateToLatest } from '../../shared/database/migrate.ts';
import { loadSampleUsers } from '../../shared/database/sample.ts';
import { createS3Client } from '../../shared/storage/s3.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import type { Report } from './context.ts';
import { projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

/** Brings the parts into the state that the functions expect. Doing it again changes nothing. */
export async function prepare(env: StackEnv, report: Report): Promise<void> {
  await Promise.all([prepareBroker(env, report), prepareBucket(env, report), prepareDatabase(env, report)]);
}

async function prepareBroker(env: StackEnv, report: Report): Promise<void> {
  const topology = await readTopology(projectFile('serverless.yml'));
  await applyTopology(env.AMQP_URL, topology);
  report(
    'topology',
    `${topology.exchanges.length} exchanges and ${topology.queues.length} queues are in place`,
  );
}

async function prepareDatabase(env: StackEnv, report: Report): Promise<void> {
  const ran = await migrateToLatest(env.DATABASE_URL);
  const users = await loadSampleUsers(env.DATABASE_URL);
  const migrations = ran.length > 0 ? `ran ${ran.join(', ')}` : 'up to date';
  report('database', `migrations: ${migrations}; ${users} sample users with friends are there`);
}

async function prepareBucket(env: StackEnv, report: Report): Promise<void> {
  const client = createS3Client(readSettings({ storage: storageSettings }, env).storage);
  await makeBucket(client, env.S3_BUCKET);
  // What the sample events in test/events and the README's clients in other languages are about.
  const sample = { Bucket: env.S3_BUCKET, Key: 'originals/123456.jpg' };
  await client.send(new HeadObjectCommand(sample)).catch(async () => {
    const Body = await readFile(projectFile('assets/demo.jpg'));
    await client.send(new PutObjectCommand({ ...sample, Body, ContentType: 'image/jpeg' }));
  });
  client.destroy();
  report('storage', `bucket ${env.S3_BUCKET} is in place, and ${sample.Key} is in it`);
}
