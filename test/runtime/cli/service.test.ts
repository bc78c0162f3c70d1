import { type ExecFileException, execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

interface Result {
  code: number;
  out: string;
  err: string;
}

/** A variable as serverless.yml contains it. */
const variable = (name: string) => `\${${name}}`;

describe('the service that a command reads', () => {
  const orders = unique('orders');
  const serverlessYml = `
service: shop
provider: { name: aws, runtime: nodejs24.x }
custom: ${variable('file(custom.yml)')}
functions:
  ship:
    handler: ship.handler
    events:
      - rabbitmq:
          arn: arn:aws:mq:us-east-1:000000000000:broker:b:b-00000000-0000-4000-8000-000000000000
          basicAuthArn: arn:aws:secretsmanager:us-east-1:000000000000:secret:b-000000
          queue: ${orders}-${variable('sls:stage')}
`;
  const custom = `warren: { queues: { orders: { name: '${orders}-${variable('sls:stage')}' } }, users: { shipper: { functions: [ship] } } }`;
  let installed: string;
  let bare: string;
  let broker: TestBroker;

  beforeAll(async () => {
    broker = await openBroker();
    // In the first folder, Node finds this project's serverless CLI.
    installed = await mkdtemp(join(projectFile('node_modules'), '.service-test-'));
    await writeFile(join(installed, 'serverless.yml'), serverlessYml);
    await writeFile(join(installed, 'custom.yml'), custom);
    bare = await mkdtemp(join(tmpdir(), 'warren-service-'));
    const text = serverlessYml.replace(variable('file(custom.yml)'), `\n  ${custom}`);
    await writeFile(join(bare, 'serverless.yml'), text);
  });
  afterAll(async () => {
    for (const stage of ['dev', 'prod']) await broker.channel.deleteQueue(`${orders}-${stage}`);
    await broker.close();
    await rm(installed, { recursive: true, force: true });
    await rm(bare, { recursive: true, force: true });
  });

  const warren = (cwd: string, ...args: string[]): Promise<Result> => {
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...stack, WARREN_DATA: '/nowhere' };
    return new Promise((resolve) => {
      const done = (error: ExecFileException | null, out: string, err: string) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      execFile(
        process.execPath,
        [projectFile('dev/warren.mjs'), ...args],
        { env, cwd, timeout: 60_000 },
        done,
      );
    });
  };
  const shown = async (...args: string[]): Promise<string[]> => {
    const { code, out, err } = await warren(installed, 'topology', 'show', '--json', ...args);
    expect(code, err).toBe(0);
    const { queues } = JSON.parse(out) as { queues: { name: string; retryOf?: string }[] };
    const own = queues.filter(({ retryOf }) => retryOf === undefined);
    return own.map(({ name }) => name).filter((name) => !name.startsWith('warren.'));
  };

  it('topology apply: the queue of a stage is declared under its resolved name', async () => {
    const { code, err } = await warren(installed, 'topology', 'apply', '--stage', 'prod');
    expect(code, err).toBe(0);
    expect(await broker.count(`${orders}-prod`)).toBe(0);
  }, 60_000);

  it('topology show: --config names a file in another folder, whose variables are resolved too', async () => {
    await mkdir(join(installed, 'below'));
    await cp(join(installed, 'serverless.yml'), join(installed, 'below/other.yml'));
    await cp(join(installed, 'custom.yml'), join(installed, 'below/custom.yml'));
    expect(await shown('--config', 'below/other.yml')).toEqual([`${orders}-dev`]);
  }, 60_000);

  it('topology show: a manifest of a stage contains the resolved topology', async () => {
    const { out } = await warren(installed, 'manifest', '--stage', 'prod');
    expect(JSON.parse(out)).toMatchObject({
      custom: {
        warren: {
          queues: { orders: { name: `${orders}-prod` } },
          users: { shipper: { functions: ['ship'] } },
        },
      },
    });
    await writeFile(join(installed, 'warren.json'), out);
    expect(await shown('--manifest', 'warren.json')).toEqual([`${orders}-prod`]);
    const { code, err } = await warren(
      installed,
      ...['topology', 'show', '--manifest', 'warren.json', '--stage', 'dev'],
    );
    expect([code, err]).toEqual([1, expect.stringContaining('--stage: expected none')]);
  }, 60_000);

  it.each([
    ['topology', 'show'],
    ['topology', 'apply'],
    ['prepare', '--no-bucket'],
  ])('%s %s: without serverless, names with variables are refused with their places', async (...command) => {
    const { code, err } = await warren(bare, ...command);
    expect(code).toBe(1);
    expect(err).toContain(`functions.ship: rabbitmq: queue: expected a text without variables`);
    expect(err).toContain(`got "${orders}-${variable('sls:stage')}"`);
    expect(err).toContain('--manifest');
  });
});
