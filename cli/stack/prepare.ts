import { readFile } from 'node:fs/promises';
import {
  CreateBucketCommand,
  GetBucketCorsCommand,
  HeadObjectCommand,
  PutBucketCorsCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { readConfig } from '../../shared/config.ts';
import { migrateToLatest } from '../../shared/database/migrate.ts';
import { loadSampleUsers } from '../../shared/database/sample.ts';
import { applyTopology } from '../../shared/rabbitmq/topology.ts';
import { readTopology } from '../../shared/rabbitmq/topology-file.ts';
import { createS3Client } from '../../shared/s3.ts';
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
  const client = createS3Client(readConfig(['storage'], env).storage);
  await client.send(new CreateBucketCommand({ Bucket: env.S3_BUCKET })).catch((error: unknown) => {
    const there = error instanceof S3ServiceException && error.$metadata.httpStatusCode === 409;
    if (!there) throw error;
  });
  await allowBrowsers(client, env.S3_BUCKET);
  // What the sample events in test/events and the README's clients in other languages are about.
  const sample = { Bucket: env.S3_BUCKET, Key: 'originals/123456.jpg' };
  await client.send(new HeadObjectCommand(sample)).catch(async () => {
    const Body = await readFile(projectFile('assets/demo.jpg'));
    await client.send(new PutObjectCommand({ ...sample, Body, ContentType: 'image/jpeg' }));
  });
  client.destroy();
  report('storage', `bucket ${env.S3_BUCKET} is in place, and ${sample.Key} is in it`);
}

/**
 * Lets a page of any origin put an object to a signed address, and read renditions: the signature is what is checked, and
 * the pages' address may be any. Rules that a bucket of the user's has already stay as they are.
 */
async function allowBrowsers(client: S3Client, Bucket: string): Promise<void> {
  const present = await client.send(new GetBucketCorsCommand({ Bucket })).catch(unlessNone);
  if (present === 'not known' || (present?.CORSRules?.length ?? 0) > 0) return;
  const rule = { AllowedOrigins: ['*'], AllowedMethods: ['PUT', 'GET'], AllowedHeaders: ['*'] };
  const CORSConfiguration = { CORSRules: [{ ...rule, ExposeHeaders: ['ETag'], MaxAgeSeconds: 3600 }] };
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration })).catch(unlessNone);
}

/** MinIO has no such rules for each bucket, and allows every origin by itself. */
function unlessNone(error: unknown): 'not known' | undefined {
  if (!(error instanceof S3ServiceException)) throw error;
  if (error.name === 'NotImplemented' || error.$metadata.httpStatusCode === 501) return 'not known';
  if (error.$metadata.httpStatusCode === 404) return undefined;
  throw error;
}
