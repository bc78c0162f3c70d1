import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../runtime/settings/read.ts';
import { createS3Client } from '../../shared/storage/s3.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { composeEnvironments } from '../support/compose.ts';
import { ContainerSystem } from '../support/container/system.ts';

describe('the whole system of compose.yaml on its storage, with an account for each group of functions', () => {
  const environments = composeEnvironments();
  let system: ContainerSystem;

  beforeAll(async () => {
    const passwords = Object.entries(environments.secrets).filter(([name]) =>
      name.startsWith('STORAGE_PASSWORD_'),
    );
    const given = { WARREN_STORAGE: 'versitygw', ...Object.fromEntries(passwords) };
    system = await ContainerSystem.start(given, () => environments);
  }, 900_000);
  afterAll(() => system?.stop(), 120_000);

  const withClient = async <T>(account: string, action: (client: S3Client) => Promise<T>): Promise<T> => {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } =
      account === 'owner' ? system.stack.env : environments.of(account);
    const env = { ...system.stack.env, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
    const client = createS3Client(readSettings({ storage: storageSettings }, env).storage);
    return action(client).finally(() => client.destroy());
  };
  const attempt = (account: string, action: (client: S3Client) => Promise<unknown>) =>
    withClient(account, (client) =>
      action(client).then(
        () => 'allowed',
        (error: { name: string }) => error.name,
      ),
    );

  it('accounts: the main job works over HTTP, and no function is refused', async () => {
    await system.expectDemo();
    expect(system.lines().filter((line) => /Access.?Denied|ACCESS.REFUSED/i.test(line))).toEqual([]);
  });

  it('accounts: a group of functions can do with the bucket what serverless.yml allows it, and nothing else', async () => {
    const Bucket = system.stack.env.S3_BUCKET;
    const kinds = ['originals', 'pictures', 'other'];
    const allowed = async (account: string) => {
      const found: string[] = [];
      for (const kind of kinds) {
        const object = { Bucket, Key: `${kind}/rights.txt` };
        expect(await attempt('owner', (s3) => s3.send(new PutObjectCommand({ ...object, Body: 'x' })))).toBe(
          'allowed',
        );
        const prefix = { Bucket, Prefix: `${kind}/rights` };
        const tries: Record<string, (client: S3Client) => Promise<unknown>> = {
          get: (s3) => s3.send(new GetObjectCommand(object)),
          put: (s3) => s3.send(new PutObjectCommand({ ...object, Body: 'y' })),
          list: (s3) => s3.send(new ListObjectsV2Command(prefix)),
          delete: (s3) => s3.send(new DeleteObjectCommand(object)),
        };
        for (const [name, action] of Object.entries(tries)) {
          const answer = await attempt(account, action);
          expect(['allowed', 'AccessDenied']).toContain(answer);
          if (answer === 'allowed') found.push(`${name} ${kind}`);
        }
      }
      return found.toSorted();
    };
    const lists = kinds.map((kind) => `list ${kind}`);
    const both = (name: string) => [`${name} originals`, `${name} pictures`];
    expect(await allowed('http')).toEqual(
      [...both('delete'), ...both('get'), ...lists, 'put originals'].toSorted(),
    );
    expect(await allowed('schedule')).toEqual([...both('delete'), 'list pictures'].toSorted());
    expect(await allowed('resize')).toEqual(
      ['delete pictures', 'get originals', ...lists, 'put pictures'].toSorted(),
    );
    expect(await allowed('rpc')).toEqual(['get originals', ...lists].toSorted());
  });

  it('accounts: no group of functions can create a bucket, or read or change the policy', async () => {
    const Bucket = system.stack.env.S3_BUCKET;
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    const tries: ((client: S3Client, account: string) => Promise<unknown>)[] = [
      (s3, account) => s3.send(new CreateBucketCommand({ Bucket: `${account}-own` })),
      (s3) => s3.send(new GetBucketPolicyCommand({ Bucket })),
      (s3) => s3.send(new PutBucketPolicyCommand({ Bucket, Policy })),
    ];
    for (const account of ['http', 'schedule', 'resize', 'rpc']) {
      for (const action of tries) {
        expect(await attempt(account, (s3) => action(s3, account))).toBe('AccessDenied');
      }
    }
  });

  it('accounts: prepare runs again and changes nothing', async () => {
    const command = new GetBucketPolicyCommand({ Bucket: system.stack.env.S3_BUCKET });
    const policy = () => withClient('owner', async (client) => (await client.send(command)).Policy);
    const before = await policy();
    expect(before).toContain('originals/*');
    await system.containers.runToEnd('prepare');
    expect(await policy()).toBe(before);
  });
});
