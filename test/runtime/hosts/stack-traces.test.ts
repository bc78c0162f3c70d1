import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../runtime/local/free-port.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { readTemplate, resourcesOf, serverless } from '../../support/deploy/serverless.ts';
import { startOffline } from '../../support/offline.ts';
import { startWarren } from '../../support/warren-command.ts';
import { WorkerFolder } from '../../support/worker-process.ts';

/** The error is in line 5, and in another line of the bundle. */
const source = `interface Failure { text: string }

export async function handler(): Promise<never> {
  const failure: Failure = { text: 'it failed' };
  throw new Error(failure.text);
}
`;
const arn = 'arn:aws:';
const aws = {
  arn: `${arn}mq:us-east-1:000000000000:broker:b:b-00000000-0000-4000-8000-000000000000`,
  basicAuthArn: `${arn}secretsmanager:us-east-1:000000000000:secret:broker-000000`,
};
const run = promisify(execFile);
const place = /it failed[\s\S]*broken\.ts:5:9/;

describe('the stack trace of an error in a bundled handler', () => {
  let broker: TestBroker;
  let folder: WorkerFolder;
  let queue: string;

  beforeAll(async () => {
    broker = await openBroker();
    queue = await broker.queue('stack');
    folder = await WorkerFolder.make();
    await folder.write('broken.ts', source);
    await build({
      entryPoints: [join(folder.path, 'broken.ts')],
      outfile: join(folder.path, 'broken.mjs'),
      format: 'esm',
      minify: true,
      sourcemap: true,
    });
    await folder.manifest(
      {
        broken: {
          handler: 'broken.handler',
          events: [{ rabbitmq: { queue } }, { httpApi: 'GET /broken' }, { schedule: 'rate(1 hour)' }],
        },
      },
      { queues: { [queue]: {} } },
    );
  });
  afterEach(() => folder.clear());
  afterAll(async () => {
    await folder.remove();
    await broker.close();
  });

  it.each([['1'], ['0']])(
    'warren worker --processes %s: names the line of TypeScript',
    async (processes) => {
      const worker = await folder.start(['--processes', processes]);
      await broker.send(queue, 1);
      await expect.poll(() => printed(worker.texts), { timeout: 20_000 }).toMatch(place);
    },
    60_000,
  );

  it('warren serve: names the line of TypeScript', async () => {
    const served = await folder.start([], {}, 'serve');
    expect((await fetch(`${served.url()}/broken`)).status).toBe(500);
    await expect.poll(() => printed(served.texts), { timeout: 20_000 }).toMatch(place);
  }, 60_000);

  it('serverless offline: names the line of TypeScript', async () => {
    const yml = {
      service: 'traces',
      provider: { name: 'aws', runtime: 'nodejs20.x' },
      plugins: ['warren', 'serverless-offline'],
      custom: {
        warren: { queues: { [queue]: {} } },
        'serverless-offline': { httpPort: await freePort(), lambdaPort: await freePort() },
      },
      functions: {
        broken: { handler: 'broken.handler', events: [{ rabbitmq: { ...aws, queue } }] },
      },
    };
    const offline = await startOffline(folder, yml);
    try {
      await broker.send(queue, 1);
      await expect.poll(() => printed([offline.output()]), { timeout: 60_000 }).toMatch(place);
    } finally {
      await offline.stop();
    }
  }, 90_000);

  it('warren schedule: names the line of TypeScript', async () => {
    const { code, out } = await startWarren(
      ['schedule', '--once', '--manifest', join(folder.path, 'warren.json')],
      {},
    );
    expect(code).toBe(1);
    expect(printed([out])).toMatch(place);
  }, 60_000);

  it.each(['linked', 'inline'])(
    'Lambda: the packaged bundle with source maps (%s) and its variables name the line of TypeScript',
    async (sourcemap) => {
      const yml = {
        service: 'traces',
        provider: { name: 'aws', runtime: 'nodejs22.x' },
        plugins: ['warren', 'serverless-esbuild'],
        package: { individually: true },
        custom: {
          warren: { queues: { [queue]: {} } },
          esbuild: { minify: true, format: 'esm', outputFileExtension: '.mjs', sourcemap },
        },
        functions: { lone: { handler: 'lone.handler', events: [{ rabbitmq: { ...aws, queue } }] } },
      };
      await folder.write('lone.ts', source);
      await folder.write('serverless.yml', JSON.stringify(yml));
      const packaged = join(folder.path, `packaged-${sourcemap}`);
      await serverless(['package', '--package', packaged], {}, folder.path);
      const [variables] = resourcesOf(await readTemplate(packaged), 'AWS::Lambda::Function').map(
        ([, { Properties }]) => (Properties['Environment'] as { Variables: NodeJS.ProcessEnv }).Variables,
      );
      const unpacked = join(packaged, 'unpacked');
      await run('python3', ['-m', 'zipfile', '-e', join(packaged, 'lone.zip'), unpacked]);
      // As Lambda does: it imports the handler in a process with these variables, calls it, and logs the stack of its error.
      const code = `
        const { handler } = await import('./lone.mjs');
        await handler({}, {}).catch((error) => console.log(JSON.stringify({ stack: error.stack.split('\\n') })));`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
        cwd: unpacked,
        env: { PATH: process.env['PATH'], ...variables },
      });
      expect(stdout).toMatch(/it failed[\s\S]*lone\.ts:5:9/);
    },
    120_000,
  );
});

/** Log lines have line breaks of a stack as in JSON. */
const printed = (texts: readonly string[]) => texts.join('\n').replaceAll('\\n', '\n');
