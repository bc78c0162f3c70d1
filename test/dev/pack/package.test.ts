import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { choosePorts } from '../../../dev/stack/ports.ts';
import { projectFile } from '../../../dev/stack/project.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const patience = { timeout: 40_000, interval: 100 };
const run = promisify(execFile);

const handler = `
import { appendFileSync, existsSync } from 'node:fs';
import { onMessages, Publisher, RejectedError } from 'warren/functions';
import { z } from 'zod';

const publisher = new Publisher({ url: process.env.AMQP_URL, name: 'send-parcel' });
const order = z.object({ order_id: z.number(), city: z.string() });

export const handler = onMessages({ schema: order, publisher }, async ({ body, attempt, routingKey }) => {
  if (body.city === 'Atlantis' && !existsSync('found')) throw new RejectedError('city: nobody delivers there');
  if (body.city === 'Rome' && attempt === 1) throw new Error('the road is closed');
  appendFileSync('sent.txt', [body.order_id, body.city, attempt, routingKey].join(' ') + '\\n');
});
`;

/** What a user of the package does, in a project of their own, in plain JavaScript. */
describe('the package in a blank project', () => {
  let folder: string;
  let broker: TestBroker;
  const [exchange, queue] = [unique('orders'), unique('parcels')];
  const children: ChildProcess[] = [];
  const env = { ...process.env, AMQP_URL: stack.AMQP_URL, LOG_LEVEL: 'info' };

  beforeAll(async () => {
    broker = await openBroker();
    folder = await mkdtemp(join(tmpdir(), 'warren-blank-'));
    await run(process.execPath, [projectFile('dev/pack/pack.mjs')]);
    const { version } = JSON.parse(await readFile(projectFile('runtime/package.json'), 'utf8')) as {
      version: string;
    };
    await writeFile(join(folder, 'package.json'), '{"name": "parcels", "type": "module", "private": true}');
    const archive = projectFile(`dist/warren-${version}.tgz`);
    await run('npm', ['install', '--no-audit', '--no-fund', archive], { cwd: folder });
    // The frameworks are large, and the same as ours.
    for (const name of ['serverless', 'serverless-offline']) {
      await symlink(projectFile(`node_modules/${name}`), join(folder, 'node_modules', name));
    }
    await mkdir(join(folder, 'src'));
    await writeFile(join(folder, 'src', 'send-parcel.js'), handler);
    const yml = {
      ...{ service: 'parcels', plugins: ['warren', 'serverless-offline'] },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: serverless resolves it.
      provider: { name: 'aws', runtime: 'nodejs22.x', environment: { AMQP_URL: '${env:AMQP_URL}' } },
      custom: {
        warren: {
          exchanges: { [exchange]: { type: 'topic' } },
          queues: { [queue]: { bindings: [{ exchange, routingKey: 'order.*' }] } },
        },
      },
      functions: {
        'send-parcel': {
          handler: 'src/send-parcel.handler',
          events: [
            {
              rabbitmq: {
                arn: 'arn:aws:mq:us-east-1:000000000000:broker:parcels:b-00000000-0000-4000-8000-000000000000',
                basicAuthArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:broker-000000',
                ...{ queue, batchSize: 5 },
              },
            },
          ],
        },
      },
    };
    // JSON is YAML.
    await writeFile(join(folder, 'serverless.yml'), JSON.stringify(yml, null, 2));
    await warren('topology', 'apply');
  }, 180_000);

  afterEach(async () => {
    for (const child of children.splice(0)) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
    }
  }, 30_000);

  afterAll(async () => {
    await broker.channel.deleteQueue(queue);
    await broker.channel.deleteExchange(exchange);
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bin = () => join(folder, 'node_modules', '.bin', 'warren');
  const warren = async (...args: string[]) => (await run(bin(), args, { cwd: folder, env })).stdout;
  const start = (command: string, args: readonly string[]) => {
    const child = spawn(command, args, { cwd: folder, env, stdio: 'ignore' });
    children.push(child);
  };
  const order = (order_id: number, city: string) => broker.publish(exchange, 'order.new', { order_id, city });
  const sent = async () =>
    (await readFile(join(folder, 'sent.txt'), 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '');

  it('weighs little', async () => {
    const { dependencies } = JSON.parse(
      await readFile(join(folder, 'node_modules', 'warren', 'package.json'), 'utf8'),
    ) as { dependencies: Record<string, string> };
    expect(Object.keys(dependencies)).not.toContain('sharp');
    expect(Object.keys(dependencies).length).toBeLessThanOrEqual(18);
  });

  it('feeds a function from its queue with warren worker: once, again after a failure, again after a replay', async () => {
    start(bin(), ['worker', '--port', '0']);
    await order(1, 'Paris');
    await order(2, 'Rome');
    await order(3, 'Atlantis');
    await expect.poll(sent, patience).toEqual(['1 Paris 1 order.new', '2 Rome 2 order.new']);
    const letters = async () =>
      JSON.parse(await warren('--json', 'dead-letters', 'list', '--queue', queue)) as unknown;
    await expect
      .poll(async () => JSON.stringify(await letters()), patience)
      .toContain('nobody delivers there');
    await writeFile(join(folder, 'found'), '');
    await warren('dead-letters', 'replay', '--queue', queue);
    await expect.poll(sent, patience).toContain('3 Atlantis 1 order.new');
  }, 90_000);

  it('feeds it under serverless offline', async () => {
    const { http, lambda } = await choosePorts('free', {});
    const serverless = join(folder, 'node_modules', 'serverless', 'bin', 'serverless.js');
    const ports = ['--httpPort', String(http), '--lambdaPort', String(lambda)];
    start(process.execPath, [serverless, 'offline', 'start', '--noSponsor', ...ports]);
    await order(4, 'Oslo');
    await expect.poll(sent, patience).toContain('4 Oslo 1 order.new');
  }, 60_000);

  it('gives types and the builder of events to TypeScript', async () => {
    const source = `
      import { onMessages, rabbitMQEvent, type RabbitMQEvent } from 'warren/functions';
      import { EventSource } from 'warren/hosts';
      export const event: RabbitMQEvent = rabbitMQEvent([{ queue: 'orders', body: { order_id: 1 } }]);
      export const used = [onMessages, EventSource];
    `;
    await writeFile(join(folder, 'src', 'check.ts'), source);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', ''];
    const tsc = projectFile('node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, ...options, '--skipLibCheck', 'src/check.ts'], { cwd: folder });
  }, 60_000);

  it.each([
    ['consume', 'Warren, batch 10'],
    ['rpc', "Warren's client and function"],
    ['publish', 'Warren'],
  ])('can be measured by the bench: %s', async (what, name) => {
    const measured = unique('bench');
    await broker.channel.assertQueue(measured);
    await broker.channel.bindQueue(measured, 'rpc', measured);
    const body = { order_id: 1, city: 'Munich', items: [], at: 'now' };
    for (let n = 0; n < 30 && what === 'consume'; n += 1) await broker.publish('', measured, body);
    const task = { what, name, url: stack.AMQP_URL, queue: measured, method: measured, atATime: 2 };
    const argument = JSON.stringify({ ...task, count: 20, warmUp: 5 });
    const { stdout } = await run(process.execPath, [projectFile('dev/bench/contestant.mjs'), argument], {
      timeout: 30_000,
    });
    expect(JSON.parse(stdout)).toMatchObject({ perSecond: expect.any(Number) });
    await broker.channel.deleteQueue(measured);
  });
});
