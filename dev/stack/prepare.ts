import { readFile } from 'node:fs/promises';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { prepareParts } from '../../deploy/prepare-parts.ts';
import type { Report } from '../../runtime/local/report.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { readService } from '../../runtime/topology/service-file.ts';
import { createS3Client } from '../../shared/storage/s3.ts';
import { type StorageSettings, storageSettings } from '../../shared/storage/settings.ts';
import { projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

/** The picture that the sample events in test/support/events and the clients in other languages refer to. */
const samplePicture = 'originals/123456.jpg';

/** Brings the parts into the state that the functions expect, and adds sample data. A second run changes nothing. */
export async function prepare(env: StackEnv, report: Report): Promise<void> {
  const begun = performance.now();
  const { storage } = readSettings({ storage: storageSettings }, env);
  const { exchanges, queues, problems, migrations, samples, bucket } = await prepareParts({
    amqpUrl: env.AMQP_URL,
    managementUrl: env.AMQP_MANAGEMENT_URL,
    databaseUrl: env.DATABASE_URL,
    storage,
    service: await readService(projectFile('serverless.yml')),
    users: false,
    samples: true,
  });
  await addSamplePicture(storage);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  report(
    'topology',
    `${exchanges} exchanges and ${queues} queues are in place, with all below, after ${seconds} s`,
  );
  for (const problem of problems) report('topology', problem);
  const ran = migrations.length > 0 ? `ran ${migrations.join(', ')}` : 'up to date';
  report('database', `migrations: ${ran}; ${samples} sample users with friends exist`);
  report('storage', `bucket ${bucket} is in place and contains ${samplePicture}`);
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
