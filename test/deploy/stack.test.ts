import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  CloudFormationClient,
  DescribeStackResourceCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetRolePolicyCommand, IAMClient } from '@aws-sdk/client-iam';
import { type FunctionConfiguration, LambdaClient, paginateListFunctions } from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import { connect } from 'amqplib';
import Table from 'cli-table3';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../dev/stack/private-broker.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { consumedQueues } from '../../runtime/topology/consumed-queues.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { packageForMoto } from '../support/deploy/emulator.ts';
import {
  credentials,
  readService,
  readTemplate,
  resourcesOf,
  serverless,
  type Template,
} from '../support/deploy/serverless.ts';

const { amazonMq, adapter } = inject('packages');
const endpoint = inject('endpoint');
const service = await readService();

const client = {
  endpoint,
  region: credentials.AWS_REGION,
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
const cloudFormation = new CloudFormationClient(client);
const storage = new s3.S3Client({ ...client, forcePathStyle: true });
const iam = new IAMClient(client);

const copies = { adapter: `${adapter.folder}-moto`, amazonMq: `${amazonMq.folder}-moto` };
let held: { adapter: Template; amazonMq: Template };
let broker: PrivateBroker;

beforeAll(async () => {
  held = {
    adapter: await packageForMoto(adapter.folder, copies.adapter),
    amazonMq: await packageForMoto(amazonMq.folder, copies.amazonMq),
  };
  broker = await privateBroker();
  await broker.start();
});

afterAll(async () => {
  await broker?.close();
  console.log(heldTable(await readTemplate(adapter.folder), await readTemplate(amazonMq.folder)));
});

const deploy = (which: keyof typeof copies, AMQP_URL: string) => {
  const { params } = { adapter, amazonMq }[which];
  const args = ['deploy', '--stage', 'prod', '--package', copies[which], ...params];
  return serverless(args, { AWS_ENDPOINT_URL: endpoint, AMQP_URL });
};

async function functionsByName(): Promise<Map<string, FunctionConfiguration>> {
  const found = new Map<string, FunctionConfiguration>();
  for await (const { Functions = [] } of paginateListFunctions({ client: new LambdaClient(client) }, {})) {
    for (const each of Functions) found.set(String(each.FunctionName), each);
  }
  return found;
}

async function stack() {
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({}));
  return Stacks.find(({ StackName }) => StackName === 'warren-prod');
}

/** moto returns no outputs of a stack that a change set made. */
async function bucketName(): Promise<string> {
  const resource = { StackName: 'warren-prod', LogicalResourceId: 'PicturesBucket' };
  const { StackResourceDetail } = await cloudFormation.send(new DescribeStackResourceCommand(resource));
  return String(StackResourceDetail?.PhysicalResourceId);
}

/** moto stores policies in Python's notation, AWS stores JSON. */
async function fromPython(text: string): Promise<unknown> {
  const print = 'import ast, json, sys; print(json.dumps(ast.literal_eval(sys.argv[1])))';
  const { stdout } = await promisify(execFile)(inject('python'), ['-c', print, text]);
  return JSON.parse(stdout);
}

/** One after the other, like an operator: each test continues with the result of the previous one. */
describe.sequential('a deployment to an emulator of AWS', () => {
  it('does not start if the topology cannot be declared', async () => {
    const nobody = 'amqp://user:pa55word@127.0.0.1:1';
    const error = await deploy('adapter', nobody).catch((thrown: Error) => thrown.message);
    expect(error).toContain("topology: the broker at 127.0.0.1:1 can't be reached");
    expect(error).not.toContain('pa55word');
    expect(await stack()).toBeUndefined();
  });

  it('makes the stack, after the queues', async () => {
    expect(await deploy('adapter', broker.url)).toContain('Service deployed to stack warren-prod');
    expect(await stack()).toMatchObject({ StackStatus: expect.stringMatching(/_COMPLETE$/) });
    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    const topology = compileTopology(readSection(service.custom.warren), consumedQueues(service.functions));
    for (const { name } of topology.queues) await channel.checkQueue(name);
    await connection.close();
  });

  it('creates the functions of serverless.yml', async () => {
    const found = await functionsByName();
    const names = Object.keys(service.functions).map((key) => `warren-prod-${key}`);
    expect([...found.keys()].sort()).toEqual(names.sort());
    for (const [key, { handler, memorySize, timeout, environment = {} }] of Object.entries(
      service.functions,
    )) {
      const made = found.get(`warren-prod-${key}`);
      expect(made, key).toMatchObject({
        Handler: handler,
        Runtime: service.provider.runtime,
        Architectures: ['x86_64'],
        MemorySize: memorySize ?? service.provider.memorySize,
        Timeout: timeout ?? service.provider.timeout,
      });
      const variables = Object.keys(made?.Environment?.Variables ?? {});
      const said = Object.keys({ ...service.provider.environment, ...environment });
      expect(variables, key).toEqual(expect.arrayContaining(said));
    }
  });

  it('gives each function its own role, whose policy is the template’s', async () => {
    const found = await functionsByName();
    const roles = new Set([...found.values()].map(({ Role }) => Role));
    expect(roles.size).toBe(found.size);
    const resize = String(found.get('warren-prod-resize-picture')?.Role?.split('/').at(-1));
    const { PolicyDocument = '' } = await iam.send(
      new GetRolePolicyCommand({ RoleName: resize, PolicyName: 'function' }),
    );
    const { Statement } = (await fromPython(decodeURIComponent(PolicyDocument))) as {
      Statement: { Action: string[]; Resource: unknown }[];
    };
    const bucket = `arn:aws:s3:::${await bucketName()}`;
    const rights = Statement.filter(({ Action }) => Action.some((action) => action.startsWith('s3:')));
    expect(rights.map(({ Action, Resource }) => [Action, [Resource].flat()])).toEqual([
      [['s3:GetObject'], [`${bucket}/originals/*`]],
      [['s3:PutObject'], [`${bucket}/pictures/*`]],
      [['s3:DeleteObject'], [`${bucket}/pictures/*`]],
      [['s3:ListBucket'], [bucket]],
    ]);
  });

  it('makes a bucket that is encrypted', async () => {
    const Bucket = await bucketName();
    const encryption = await storage.send(new s3.GetBucketEncryptionCommand({ Bucket }));
    const [rule] = encryption.ServerSideEncryptionConfiguration?.Rules ?? [];
    expect(rule?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm).toBe('AES256');
  });

  it('keeps logs for the configured time', async () => {
    // One more is that of the access log of the HTTP API.
    expect(await retentions()).toEqual([...Object.keys(service.functions), 'access'].map(() => 7));
  });

  it('takes up a change: another source, other code, a network', async () => {
    const before = (await functionsByName()).get('warren-prod-resize-picture');
    await deploy('amazonMq', broker.url);
    const found = await functionsByName();
    // It feeds only what mappings cannot.
    const { Variables = {} } = found.get('warren-prod-poll-queues')?.Environment ?? {};
    const fed = JSON.parse(String(Variables['WARREN_MAPPINGS'])) as { queue: string }[];
    expect(fed.map(({ queue }) => queue).sort()).toEqual(['walker-notices', 'walker-texts']);
    expect(found.size).toBe(Object.keys(service.functions).length);
    const resize = found.get('warren-prod-resize-picture');
    // moto takes up the code, and not for which processor it is; that is checked from the template.
    expect(resize?.CodeSha256).not.toBe(before?.CodeSha256);
    expect(resize?.VpcConfig?.SubnetIds).toHaveLength(2);
    expect(await retentions()).toEqual([...found.keys(), 'access'].map(() => 7));
  });

  it('is removed', async () => {
    await serverless(['remove', '--stage', 'prod', ...amazonMq.params], { AWS_ENDPOINT_URL: endpoint });
    expect(await stack()).toBeUndefined();
    expect((await functionsByName()).size).toBe(0);
    const { Buckets = [] } = await storage.send(new s3.ListBucketsCommand({}));
    expect(Buckets.filter(({ Name }) => Name?.includes('deploymentbucket'))).toEqual([]);
  });
});

async function retentions() {
  const logs = new CloudWatchLogsClient(client);
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ limit: 50 }));
  return logGroups.map(({ retentionInDays }) => retentionInDays);
}

/** What was deployed and read back, and what is only in the template. */
function heldTable(...templates: Template[]): string {
  const table = new Table({
    head: ['resource', 'in templates', 'made by moto', 'checked from the template'],
  });
  const types = new Set(
    templates.flatMap(({ Resources }) => Object.values(Resources).map(({ Type }) => Type)),
  );
  const count = (of: readonly Template[], type: string) =>
    of.reduce((sum, each) => sum + resourcesOf(each, type).length, 0);
  for (const type of [...types].sort()) {
    const [all, made] = [count(templates, type), count(Object.values(held ?? {}), type)];
    table.push([type, all, made, all - made]);
  }
  return `amazon-mq and adapter together\n${table}`;
}
