import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { freePorts } from '../../../runtime/local/free-port.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { type Packed, packRuntime } from '../../support/packed.ts';
import { PageReader, readSteps, type Step, terminalEnv } from '../../support/page.ts';
import { stack } from '../../support/stack.ts';

const run = promisify(execFile);
const tsc = projectFile('node_modules/typescript/bin/tsc');

/** The page's command that installs the frameworks: they are large, so links to this repository's copies stand in for it. */
const frameworks = 'npm install --save-dev serverless@npm:osls serverless-offline';

describe('docs/package.md', () => {
  let root: string;
  let folder: string;
  let packed: Packed;
  let reader: PageReader;
  let broker: TestBroker;

  beforeAll(async () => {
    broker = await openBroker();
    root = await mkdtemp(join(tmpdir(), 'warren-package-'));
    folder = join(root, 'parcels');
    await mkdir(folder);
    packed = await packRuntime();
    await copyFile(packed.archive, join(folder, basename(packed.archive)));
    reader = new PageReader({
      folder,
      env: terminalEnv({ AMQP_URL: stack.AMQP_URL, LOG_LEVEL: 'info' }),
      repeated: /^(cat|npx --no warren dead-letters (list|show)) /,
    });
    // As long as packing takes.
  }, 300_000);
  afterAll(async () => {
    await reader.end();
    await broker.channel.deleteQueue('parcels');
    await broker.channel.deleteExchange('orders');
    await broker.close();
    await packed.remove();
    await rm(root, { recursive: true, force: true });
  }, 60_000);

  const linkFrameworks = async () => {
    for (const name of ['serverless', 'serverless-offline']) {
      await symlink(projectFile(`node_modules/${name}`), join(folder, 'node_modules', name));
    }
    const command = join('..', 'serverless', 'bin', 'serverless.js');
    await symlink(command, join(folder, 'node_modules', '.bin', 'serverless'));
  };

  /** The default ports of serverless offline may be in use on this machine. */
  const withPorts = async (step: Step): Promise<Step> => {
    if (step.do !== 'start' || step.command !== 'npx serverless offline start') return step;
    const { http, lambda } = await freePorts(['http', 'lambda']);
    return { ...step, command: `${step.command} --noSponsor --httpPort ${http} --lambdaPort ${lambda}` };
  };

  it('package page: each step in a blank folder does what the page shows', async () => {
    const steps = readSteps(await readFile(projectFile('docs/package.md'), 'utf8'));
    expect(steps.filter((step) => step.do === 'run' && step.command === frameworks)).toHaveLength(1);
    for (const step of steps) {
      if (step.do === 'run' && step.command === frameworks) await linkFrameworks();
      else await reader.follow(await withPorts(step));
    }
    // Each order once: the page's patterns match only the beginning of the file.
    expect((await readFile(join(folder, 'sent.txt'), 'utf8')).trimEnd().split('\n')).toEqual([
      '1 Paris, attempt 1, order.new',
      '2 Rome, attempt 2, order.new',
      '3 Atlantis, attempt 1, order.new',
      '4 Oslo, attempt 1, order.new',
    ]);
  }, 240_000);

  it('package: has few dependencies, and none for pictures', async () => {
    const { dependencies } = JSON.parse(
      await readFile(join(folder, 'node_modules', 'warren', 'package.json'), 'utf8'),
    ) as { dependencies: Record<string, string> };
    expect(Object.keys(dependencies)).not.toContain('sharp');
    expect(Object.keys(dependencies).length).toBeLessThanOrEqual(22);
  });

  it('package: its entries have types', async () => {
    const source = `
      import { onMessages, rabbitMQEvent, type RabbitMQEvent } from 'warren/functions';
      import { s3Claims } from 'warren/claims';
      import { Effects } from 'warren/effects';
      import { EventSource } from 'warren/hosts';
      import { httpFunction } from 'warren/http';
      import { httpEvent, invoke, recordingPublisher } from 'warren/testing';
      export const event: RabbitMQEvent = rabbitMQEvent([{ queue: 'orders', body: { order_id: 1 } }]);
      export const used = [onMessages, Effects, EventSource, httpFunction, httpEvent(), invoke, recordingPublisher(), s3Claims];
    `;
    await writeFile(join(folder, 'check.ts'), source);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', ''];
    await run(process.execPath, [tsc, ...options, '--skipLibCheck', 'check.ts'], { cwd: folder });
  }, 60_000);
});

describe('bench', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
    // The bench measures the compiled files that this leaves in dist/package.
    await run(process.execPath, [projectFile('dev/pack/pack.mjs')]);
  }, 300_000);
  afterAll(() => broker.close());

  it.each([
    ['consume', 'Warren, batch 10'],
    ['rpc', "Warren's client and function"],
    ['publish', 'Warren'],
  ])('bench: measures the packed runtime: %s', async (what, name) => {
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
