import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../dev/stack/private-broker.ts';
import { projectFile } from '../../dev/stack/project.ts';
import { rabbitMQEvent } from '../../runtime/testing.ts';
import { packageForMoto } from '../support/deploy/emulator.ts';
import { credentials, readTemplate, resourcesOf, serverless } from '../support/deploy/serverless.ts';
import { PageReader, pattern, readSteps } from '../support/page.ts';
import { type TutorialProject, tutorialProject } from '../support/tutorial-project.ts';

const endpoint = inject('endpoint');
const lambda = new LambdaClient({
  endpoint,
  region: credentials.AWS_REGION,
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});
const run = promisify(execFile);

/** Calls the handler of a deployed artifact with an event, in a folder of its own, as Lambda does. */
async function call(artifact: string, handler: string, event: object, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-deployed-'));
  try {
    await run(inject('python'), ['-m', 'zipfile', '-e', artifact, folder]);
    const [file, name] = handler.split('.');
    const code = `require('./${file}.cjs').${name}(${JSON.stringify(event)}, {}).then(() => process.exit())`;
    await run(process.execPath, ['-e', code], { cwd: folder, env });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('the last step of docs/tutorial.md', () => {
  let project: TutorialProject;
  let broker: PrivateBroker;
  beforeAll(async () => {
    [project, broker] = await Promise.all([tutorialProject(), privateBroker()]);
  });
  afterAll(async () => {
    await broker.close();
    await project.remove();
  });

  it('deploys the function of the page: its queue exists, its mapping names the queue, and the deployed code handles an event', async () => {
    const { folder } = project;
    const reader = new PageReader({ folder, env: {}, repeated: /^never$/ });
    const steps = readSteps(await readFile(projectFile('docs/tutorial.md'), 'utf8'));
    for (const step of steps) if ('text' in step) await reader.follow(step);
    const [deployment, ...others] = steps.filter((step) => step.do === 'deploy');
    expect(others).toEqual([]);
    const { command = '', expected = '' } = deployment ?? {};
    const [program, deploy, ...params] = command.replace('npx ', '').split(' ');
    expect([program, deploy]).toEqual(['serverless', 'deploy']);

    // In two steps, because the emulator does not know mappings.
    const [whole, held] = [join(folder, 'packaged'), join(folder, 'packaged-moto')];
    const env = { AWS_ENDPOINT_URL: endpoint, AMQP_URL: broker.url };
    await serverless(['package', '--package', whole, ...params], env, folder);
    await packageForMoto(whole, held);
    expect(await serverless(['deploy', '--package', held, ...params], env, folder)).toMatch(
      pattern(expected),
    );

    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    expect((await channel.checkQueue('treats')).messageCount).toBe(0);
    await connection.close();

    const mappings = resourcesOf(await readTemplate(whole), 'AWS::Lambda::EventSourceMapping');
    expect(mappings.map(([, { Properties }]) => Properties)).toContainEqual(
      expect.objectContaining({ Queues: ['treats'] }),
    );

    const found = await lambda.send(new GetFunctionCommand({ FunctionName: 'treats-dev-order-treat' }));
    const { Handler = '', CodeSha256, Environment } = found.Configuration ?? {};
    const artifact = join(whole, 'treats.zip');
    expect(
      createHash('sha256')
        .update(await readFile(artifact))
        .digest('base64'),
    ).toBe(CodeSha256);
    const list = '/tmp/treats.txt';
    const maps = { NODE_OPTIONS: '--enable-source-maps' };
    expect(Environment?.Variables).toEqual({ AMQP_URL: broker.url, TREATS: list, ...maps });
    await writeFile(list, '');
    const event = rabbitMQEvent([{ queue: 'treats', body: { dog: 'Rex', grams: 500 } }]);
    await call(artifact, Handler, event, { ...Environment?.Variables, PATH: process.env['PATH'] });
    expect(await readFile(list, 'utf8')).toBe('500 g for Rex\n');
    await rm(list);
    await serverless(['remove', ...params], { AWS_ENDPOINT_URL: endpoint }, folder);
  });
});
