import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CloudFormationClient, DescribeStackResourceCommand } from '@aws-sdk/client-cloudformation';
import { GetAliasCommand, GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { credentials, serverless } from '../support/deploy/serverless.ts';

const endpoint = inject('endpoint');
const client = {
  endpoint,
  region: credentials.AWS_REGION,
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
const lambda = new LambdaClient(client);
const storage = new S3Client({ ...client, forcePathStyle: true });
const cloudFormation = new CloudFormationClient(client);
const run = promisify(execFile);

const service = `
service: greeter
provider:
  name: aws
  runtime: nodejs24.x
  stage: prod
  deploymentBucket: { blockPublicAccess: true }
plugins: [warren]
package: { individually: true }
custom:
  warren: { source: worker, release: { alias: live } }
functions:
  hello:
    handler: hello.handler
    package: { patterns: ['!**', hello.mjs] }
    events: [{ schedule: rate(1 hour) }]
  other:
    handler: other.handler
    package: { patterns: ['!**', other.mjs] }
    events: [{ schedule: rate(1 hour) }]
`;

let folder: string;

beforeAll(async () => {
  // Below the project, in which the plugin is found.
  await mkdir(projectFile('.data'), { recursive: true });
  folder = await mkdtemp(projectFile('.data/release-'));
  await writeFile(join(folder, 'serverless.yml'), service);
  await say('other', 'always');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const say = (key: string, text: string) =>
  writeFile(join(folder, `${key}.mjs`), `export const handler = async () => '${text}';\n`);

const cli = (command: string) => serverless(command.split(' '), { AWS_ENDPOINT_URL: endpoint }, folder);

async function liveVersion(key: string): Promise<string | undefined> {
  const alias = { FunctionName: `greeter-prod-${key}`, Name: 'live' };
  return (await lambda.send(new GetAliasCommand(alias))).FunctionVersion;
}

/** Runs the code that the alias of a function names, as Lambda would: the emulator keeps code, and needs Docker to run it. */
async function answer(key: string): Promise<string> {
  const { Code } = await lambda.send(
    new GetFunctionCommand({ FunctionName: `greeter-prod-${key}`, Qualifier: 'live' }),
  );
  const { StackResourceDetail } = await cloudFormation.send(
    new DescribeStackResourceCommand({
      StackName: 'greeter-prod',
      LogicalResourceId: 'ServerlessDeploymentBucket',
    }),
  );
  const object = {
    Bucket: StackResourceDetail?.PhysicalResourceId,
    Key: new URL(String(Code?.Location)).pathname.slice(1),
  };
  const { Body } = await storage.send(new GetObjectCommand(object));
  const own = await mkdtemp(join(tmpdir(), 'warren-live-'));
  try {
    const zip = join(own, 'code.zip');
    await writeFile(zip, (await Body?.transformToByteArray()) ?? '');
    await run(inject('python'), ['-m', 'zipfile', '-e', zip, own]);
    const call = `import(${JSON.stringify(join(own, `${key}.mjs`))}).then(async ({ handler }) => console.log(await handler()))`;
    return (await run(process.execPath, ['-e', call])).stdout.trim();
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** One after the other, like an operator: each test continues with the result of the previous one. */
describe.sequential('a release on an emulator of AWS', () => {
  it('restore: nothing is restored before a second deployment', async () => {
    await say('hello', 'one');
    await cli('deploy');
    expect([await liveVersion('hello'), await answer('hello')]).toEqual(['1', 'one']);
    const error = await cli('restore').catch((thrown: Error) => thrown.message);
    expect(error).toContain('restore: expected a deployment before the last one, got none');
    expect(await liveVersion('hello')).toBe('1');
  });

  it('release: a deployment publishes a version of what changed, and the alias calls it', async () => {
    await say('hello', 'two');
    await cli('deploy');
    expect([await liveVersion('hello'), await answer('hello')]).toEqual(['2', 'two']);
    expect(await liveVersion('other')).toBe('1');
  });

  it('restore: the alias calls the version that was live before, and what did not change stays', async () => {
    const printed = await cli('restore');
    expect(printed).toContain('greeter-prod-hello: version 1 is live, in place of 2');
    expect([await liveVersion('hello'), await answer('hello')]).toEqual(['1', 'one']);
    expect([await liveVersion('other'), await answer('other')]).toEqual(['1', 'always']);
  });

  it('restore: a second time does not return to the version that was left', async () => {
    const error = await cli('restore').catch((thrown: Error) => thrown.message);
    expect(error).toContain('restore: expected a deployment before the last one, got none');
    expect(await answer('hello')).toBe('one');
  });

  it('release: the next deployment replaces what was restored', async () => {
    await say('hello', 'three');
    await cli('deploy');
    expect([await liveVersion('hello'), await answer('hello')]).toEqual(['3', 'three']);
    await cli('restore');
    expect([await liveVersion('hello'), await answer('hello')]).toEqual(['1', 'one']);
  });

  it('serverless rollback: the deployment of a time is deployed again, as a new version', async () => {
    // One for each deployment, oldest first.
    const timestamps = (await cli('deploy list')).match(/\b\d{13}\b/g) ?? [];
    expect(timestamps).toHaveLength(3);
    await cli(`rollback --timestamp ${timestamps[1]}`);
    expect(await answer('hello')).toBe('two');
  });

  it('remove: the versions that were recorded are removed with the stack', async () => {
    await cli('remove');
    await expect(liveVersion('hello')).rejects.toThrow();
  });
});
