import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { HttpHost } from '../../../runtime/hosts/http/host.ts';
import type { Manifest } from '../../../runtime/hosts/manifest.ts';
import { Scheduler } from '../../../runtime/hosts/schedule.ts';
import { Worker } from '../../../runtime/hosts/worker.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const handlers = `
import { appendFileSync } from 'node:fs';
const note = (text) => appendFileSync(new URL('notes', import.meta.url), text);
export const handler = async () => note(process.env.TEST_TABLE + '\\n');
export const later = (event, context, callback) => setTimeout(() => callback(new Error('late')), 10);
export const stream = async (event, response, context) => response.end();
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-load-'));
  await writeFile(join(folder, 'work.mjs'), handlers);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the environment of functions in one process', () => {
  let broker: TestBroker;
  let env: NodeJS.ProcessEnv;
  let manifest: Manifest;
  let worker: Worker | undefined;

  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());
  beforeEach(async () => {
    env = {};
    await writeFile(join(folder, 'notes'), '');
    const table = async (TEST_TABLE: string, path: string) => ({
      handler: 'work.handler',
      environment: { TEST_TABLE, SAME: 'one' },
      events: [{ rabbitmq: { queue: await broker.queue() } }, { httpApi: `GET /${path}` }, hourly],
    });
    manifest = {
      functions: {
        a: await table('orders', 'a'),
        b: await table('archive', 'b'),
        c: await table('orders', 'c'),
      },
    };
  });
  afterEach(async () => {
    await worker?.stop();
    worker = undefined;
    delete process.env['TEST_TABLE'];
    delete process.env['SAME'];
  });

  const hourly = { schedule: 'rate(1 hour)' };
  const options = () => ({ manifest, folder, env, log: silentLog });
  const makeWorker = (functions: string[] = []) =>
    new Worker({ ...options(), url: stack.AMQP_URL, functions });
  const hosts: [string, () => unknown][] = [
    ['a worker', () => makeWorker()],
    ['a scheduler', () => new Scheduler(options())],
    ['an HTTP host', () => new HttpHost({ ...options(), host: '127.0.0.1', port: 0 })],
  ];

  it.each(hosts)(
    '%s refuses functions that give one variable different values, and names the ways out',
    (_host, make) => {
      expect(make).toThrow(
        expect.objectContaining({
          code: 'ERR_CONFIG',
          message:
            'environment: TEST_TABLE: expected one value for all functions of a process, got 2 (a, c / b); set TEST_TABLE in the ' +
            'environment of this process, or run these functions in processes of their own, as ' +
            '`warren worker` does by default; or name them, as in `warren worker a`, or use a manifest for each',
        }),
      );
    },
  );

  it.each(hosts)('%s accepts different values if the environment of the process decides', (_host, make) => {
    env['TEST_TABLE'] = 'from outside';
    expect(make).not.toThrow();
  });

  it('a worker of one function runs it with its own value', async () => {
    env = process.env;
    worker = makeWorker(['b']);
    await worker.start();
    await broker.send(worker.mappings[0]?.queue ?? '', 1);
    const notes = () => readFile(join(folder, 'notes'), 'utf8');
    await expect.poll(notes, { timeout: 10_000 }).toBe('archive\n');
  });
});

describe('a handler with a callback', () => {
  it.each(['later', 'stream'])(
    '%s: the worker refuses it at the start, and its message stays in the queue',
    async (exported) => {
      const broker = await openBroker();
      const queue = await broker.queue();
      const work = { handler: `work.${exported}`, events: [{ rabbitmq: { queue } }] };
      const worker = new Worker({
        manifest: { functions: { work } },
        folder,
        env: {},
        url: stack.AMQP_URL,
        log: silentLog,
      });
      try {
        await broker.send(queue, 1);
        await expect(worker.start()).rejects.toMatchObject({
          code: 'ERR_CONFIG',
          message: expect.stringMatching(
            /functions\.work: .*takes 3 parameters.*nothing would wait for the callback/,
          ),
        });
        expect(await broker.count(queue)).toBe(1);
      } finally {
        await worker.stop();
        await broker.close();
      }
    },
  );
});
