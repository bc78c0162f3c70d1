import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { readManifest, toManifest } from '../../../runtime/hosts/manifest.ts';
import { startWorker, Worker } from '../../../runtime/hosts.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { dropLetters, openBroker, type TestBroker } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

/** Writes its input to another queue; crashes its process, takes long or fails if a message asks for it. */
const handler = `
import { connect } from 'amqplib';
const connection = connect(process.env.AMQP_URL);
export async function handler(event) {
  const channel = await (await connection).createConfirmChannel();
  for (const message of Object.values(event.rmqMessagesByQueue).flat()) {
    const body = JSON.parse(Buffer.from(message.data, 'base64').toString());
    channel.sendToQueue(process.env.TARGET, Buffer.from(JSON.stringify({ pid: process.pid, ...body })));
    await channel.waitForConfirms();
    if (body.crash) process.kill(process.pid, 'SIGKILL');
    if (body.fail) throw new Error('as the message says');
    if (body.ms) await new Promise((resolve) => setTimeout(resolve, body.ms));
  }
  await channel.close();
}
`;

/** Uses `onMessages`, and is bundled with a copy of it, as in a deployment. */
const picky = `
import { z } from 'zod';
import { onMessages, Publisher } from './runtime/functions.ts';

const publisher = new Publisher({ url: process.env.AMQP_URL, name: 'picky' });
export const handler = onMessages({ schema: z.object({ n: z.number() }), publisher }, async () => {
  throw new Error('fails each time');
});
`;

/** Functions of messages and of calls, alone and in `lambda`, with a copy of the package as in a deployment. They note what they read. */
const readers = `
import { appendFileSync } from 'node:fs';
import { lambda, onCalls, onMessages, publisher } from './runtime/functions.ts';

const note = async ({ body }) => appendFileSync(new URL('read', import.meta.url), body.text[0]);
const options = { publisher: { publish: async () => undefined } };
export const plain = onMessages(options, note);
export const declared = lambda({ publisher }, ({ publisher }) => onMessages({ publisher }, note));
export const calls = lambda({ publisher }, ({ publisher }) => onCalls({ publisher }, note));
`;

interface LogLine {
  msg: string;
  port?: number;
  host?: string;
  function?: string;
}

describe('warren worker', { timeout: 120_000 }, () => {
  let broker: TestBroker;
  let folder: string;
  let queue: string;
  let target: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    broker = await openBroker();
    // Inside the project, so that the handler finds its packages.
    folder = await mkdtemp(join(projectFile('node_modules'), '.worker-test-'));
    await writeFile(join(folder, 'work.mjs'), handler);
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await broker.close();
  });

  const bundle = (name: string, contents: string) =>
    build({
      stdin: { contents, resolveDir: projectFile('.') },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: join(folder, `${name}.mjs`),
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
      logLevel: 'error',
    });
  const prepare = async (event: Record<string, unknown> = {}, file = 'work', section: object = {}) => {
    queue = await broker.queue('work');
    target = await broker.queue('target');
    const definition = {
      handler: `${file}.handler`,
      timeout: 20,
      environment: { TARGET: target },
      events: [{ rabbitmq: { queue, ...event } }],
    };
    const custom = { warren: section };
    const manifest = { service: 'pictures', functions: { work: definition }, custom };
    await writeFile(join(folder, 'warren.json'), JSON.stringify(manifest));
  };

  const spawnWorker = async (...args: string[]) => startWith({}, ...args);
  const startWith = async (given: NodeJS.ProcessEnv, ...args: string[]) => {
    const command = [
      projectFile('dev/warren.mjs'),
      'worker',
      '--manifest',
      join(folder, 'warren.json'),
      '--port',
      '0',
      ...args,
    ];
    const env = {
      ...process.env,
      AMQP_URL: stack.AMQP_URL,
      WARREN_DATA: '/nowhere',
      LOG_LEVEL: 'info',
      ...given,
    };
    const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    const lines: LogLine[] = [];
    const texts: string[] = [];
    let errors = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      texts.push(line);
      lines.push(JSON.parse(line) as LogLine);
    });
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const exited = new Promise<number | string>((resolve) => {
      child.once('close', (code, signal) => resolve(code ?? signal ?? ''));
    });
    const up = () => lines.find(({ msg }) => msg === 'worker is up');
    await Promise.race([expect.poll(up, { timeout: 60_000 }).toBeDefined(), exited]);
    const get = (path: string) => fetch(`http://127.0.0.1:${up()?.port}${path}`);
    return { child, lines, texts, exited, get, errors: () => errors };
  };

  const arrived = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await broker.take(target, 15_000)).content.toString()) as Record<string, unknown>;

  it('the worker calls the function and serves metrics and probes', async () => {
    await prepare();
    const { child, get, exited } = await spawnWorker();
    await broker.send(queue, { n: 1 });
    const { n, pid } = await arrived();
    expect(n).toBe(1);
    // A process of its own, although it is the only function.
    expect(pid).not.toBe(child.pid);
    const metrics = async () => (await get('/metrics')).text();
    const labels = `function="work",queue="${queue}"`;
    await expect.poll(metrics).toContain(`warren_messages_total{${labels},outcome="done"} 1`);
    expect(await metrics()).toContain(`warren_consumers{${labels}} 1`);
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/')).status).toBe(404);
    await broker.channel.deleteQueue(queue);
    await expect.poll(async () => (await get('/readyz')).status, { timeout: 10_000 }).toBe(503);
    expect(await (await get('/readyz')).text()).toBe(`no consumer: ${queue}\n`);
    expect((await get('/healthz')).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('the metrics count the retried and the dead-lettered messages of a bundled function', async () => {
    await bundle('picky', picky);
    await prepare({}, 'picky');
    const { get } = await spawnWorker();
    await broker.send(queue, { n: 'not a number' });
    await broker.send(queue, { n: 1 });
    const metrics = async () => (await get('/metrics')).text();
    const failed = (to: string, reason: string) =>
      `warren_failed_messages_total{queue="${queue}",to="${to}",reason="${reason}"} 1`;
    await expect.poll(metrics, { timeout: 15_000 }).toContain(failed('dead-letters', 'rejected'));
    await expect.poll(metrics).toContain(failed('retry', 'retry'));
    // The call succeeded, because the function republished its failed messages.
    expect(await metrics()).toContain(
      `warren_messages_total{function="work",queue="${queue}",outcome="done"}`,
    );
    expect(await metrics()).toMatch(/^warren_connections_opened_total [1-9]/m);
    expect(await metrics()).toMatch(/^warren_published_messages_total\{outcome="confirmed"\} [2-9]/m);
    expect(await metrics()).toMatch(/^warren_publish_duration_seconds_count [2-9]/m);
    expect(await metrics()).toContain('warren_blocked_connections 0');
    await dropLetters({ queue }, 1);
  });

  it("bundled functions in the worker's process read their messages without AWS's event, which would encode each body", async () => {
    await bundle('readers', readers);
    const feeds = await Promise.all(
      ['plain', 'declared', 'calls'].map(async (name) => {
        const args = name === 'calls' ? { 'x-queue-type': 'classic' } : undefined;
        return { name, queue: await broker.queue(name, args) };
      }),
    );
    const functions = feeds.map(({ name, queue: from }) => [
      name,
      { handler: `readers.${name}`, events: [{ rabbitmq: { queue: from } }] },
    ]);
    const queues = Object.fromEntries(
      feeds.map((feed) => [feed.queue, { kind: feed.name === 'calls' ? 'rpc' : 'work' }]),
    );
    const manifest = { functions: Object.fromEntries(functions), custom: { warren: { queues } } };
    const worker = new Worker({
      manifest: readManifest(JSON.stringify(manifest)),
      folder,
      url: stack.AMQP_URL,
      log: silentLog,
    });
    const bodies = feeds.map(({ name }) =>
      Buffer.from(JSON.stringify({ text: name.repeat(50) })).toString('base64'),
    );
    vi.stubEnv('AMQP_URL', stack.AMQP_URL);
    const encoded: string[] = [];
    const { toString: original } = Buffer.prototype;
    const spy = vi.spyOn(Buffer.prototype, 'toString').mockImplementation(function (this: Buffer, ...args) {
      const text = original.apply(this, args);
      if (args[0] === 'base64') encoded.push(text);
      return text;
    });
    try {
      await worker.start();
      const replies = await broker.queue('replies', {});
      for (const { name, queue: from } of feeds)
        await broker.send(from, { text: name.repeat(50) }, { replyTo: replies, correlationId: '1' });
      const read = () => readFile(join(folder, 'read'), 'utf8').catch(() => '');
      await expect.poll(async () => [...(await read())].toSorted().join('')).toBe('cdp');
      expect(encoded.filter((text) => bodies.includes(text))).toEqual([]);
    } finally {
      spy.mockRestore();
      vi.unstubAllEnvs();
      await worker.stop();
    }
  });

  it('at SIGTERM the worker finishes the call in flight, and the other messages stay in the queue', async () => {
    await prepare({ batchSize: 1 });
    const { child, exited } = await spawnWorker();
    await broker.send(queue, { n: 1, ms: 1500 });
    await broker.send(queue, { n: 2 });
    expect(await arrived()).toMatchObject({ n: 1 });
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    await expect.poll(() => broker.count(queue)).toBe(1);
    expect(await broker.count(target)).toBe(0);
  });

  it('the worker abandons the call in flight at the deadline, exits with 1, and loses nothing', async () => {
    await prepare({ batchSize: 1 });
    const { child, exited, lines } = await spawnWorker('--drain', '1');
    await broker.send(queue, { n: 1, ms: 15_000 });
    await arrived();
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(lines.at(-1)?.msg).toContain('time is up');
    await expect.poll(() => broker.count(queue), { timeout: 10_000 }).toBe(1);
  });

  it('a log line of the worker has each key once: the host and the function that it called', async () => {
    await prepare();
    const { lines, texts } = await spawnWorker();
    await broker.send(queue, { n: 1 });
    const done = () => lines.find(({ msg }) => msg === 'batch done');
    await expect.poll(done, { timeout: 10_000 }).toMatchObject({ host: 'worker', function: 'work' });
    for (const text of texts) {
      const keys = [...text.matchAll(/[{,]"(\w+)":/g)].map(([, key]) => key);
      expect(keys, text).toEqual([...new Set(keys)]);
    }
  });

  it('two workers share a queue, and the second takes over when the first is killed', async () => {
    await prepare({ batchSize: 1 });
    const [one, other] = [await spawnWorker(), await spawnWorker()];
    for (let n = 0; n < 20; n += 1) await broker.send(queue, { n, ms: 50 });
    const first = await Promise.all(Array.from({ length: 6 }, arrived));
    expect(new Set(first.map(({ pid }) => pid)).size).toBe(2);
    one.child.kill('SIGKILL');
    const seen = new Set(first.map(({ n }) => n));
    while (seen.size < 20) seen.add((await arrived())['n']);
    await expect.poll(() => broker.count(queue)).toBe(0);
    other.child.kill('SIGTERM');
    expect(await other.exited).toBe(0);
  });

  it('with --processes 0, no neighbor of a message that kills the worker repeatedly is lost', async () => {
    await prepare({ batchSize: 10, maximumBatchingWindow: 0 });
    await broker.send(queue, { n: 'guilty', crash: true });
    for (let n = 0; n < 9; n += 1) await broker.send(queue, { n });
    const seen = new Set<unknown>();
    // After three crashes, all other messages have been handled.
    for (let life = 0; life < 3; life += 1) {
      const { exited } = await spawnWorker('--processes', '0');
      expect(await exited).toBe('SIGKILL');
      for (const { content } of await broker.drain(target))
        seen.add((JSON.parse(content.toString()) as { n: unknown }).n);
    }
    await expect.poll(() => broker.count(queue), { timeout: 10_000 }).toBeGreaterThan(0);
    const left = (await broker.drain(queue)).map((message) => ({
      n: (JSON.parse(message.content.toString()) as { n: unknown }).n,
      deliveries: Number(message.properties.headers?.['x-delivery-count'] ?? 0),
    }));
    for (const { n } of left) seen.add(n);
    expect(seen.size).toBe(10);
    // Only the message that crashes the worker was delivered repeatedly.
    for (const { n, deliveries } of left) if (n !== 'guilty') expect(deliveries).toBeLessThanOrEqual(1);
  });

  it('the worker does not start if a function cannot be loaded, and takes nothing from its queue', async () => {
    await writeFile(join(folder, 'broken.mjs'), "throw new Error('no such setting');");
    await prepare({}, 'broken');
    await broker.send(queue, { n: 1 });
    const { exited, lines, errors } = await spawnWorker();
    expect(await exited).toBe(1);
    expect(errors()).toContain('no such setting');
    expect(lines).toEqual([]);
    const { fields } = await broker.take(queue);
    expect(fields.redelivered).toBe(false);
  });

  it('a worker whose port is taken does not start, and consumes nothing', async () => {
    await prepare();
    const manifest = readManifest(await readFile(join(folder, 'warren.json'), 'utf8'));
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      await broker.send(queue, { n: 1 });
      const worker = new Worker({
        manifest,
        folder,
        url: stack.AMQP_URL,
        log: silentLog,
        http: { host: '127.0.0.1', port },
        invoke: () => async () => undefined,
      });
      await expect(worker.start()).rejects.toMatchObject({
        code: 'ERR_PORT_TAKEN',
        message: expect.stringContaining(`port ${port} is taken`),
      });
      expect(await broker.count(queue)).toBe(1);
    } finally {
      other.close();
    }
  });

  it('the worker does not start if a timeout does not fit the limit for acknowledgements, and takes nothing', async () => {
    await prepare();
    const { functions } = readManifest(await readFile(join(folder, 'warren.json'), 'utf8'));
    const makeWorker = (timeout: number) =>
      new Worker({
        manifest: { functions: { work: { ...functions['work'], handler: 'work.handler', timeout } } },
        folder,
        url: stack.AMQP_URL,
        log: silentLog,
        invoke: () => async () => undefined,
      });
    await broker.send(queue, { n: 1 });
    expect(() => makeWorker(900)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(/functions\.work: timeout: expected less than 900 s, .*got 900 s/),
      }),
    );
    expect(await broker.count(queue)).toBe(1);
    const worker = makeWorker(899);
    await worker.start();
    await expect.poll(() => broker.count(queue), { timeout: 10_000 }).toBe(0);
    await worker.stop();
  });

  it('--invoke lambda calls the deployed function', async () => {
    await prepare();
    const calls: { path: string | undefined; body: string }[] = [];
    const api = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      calls.push({ path: request.url, body });
      response.end('null');
    });
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    const { port } = api.address() as AddressInfo;
    const env = { LAMBDA_URL: `http://127.0.0.1:${port}` };
    const { child, exited } = await startWith(env, '--invoke', 'lambda', '--stage', 'prod');
    await broker.send(queue, { n: 1 });
    await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(1);
    expect(calls[0]?.path).toBe('/2015-03-31/functions/pictures-prod-work/invocations');
    expect(JSON.parse(calls[0]?.body ?? '')).toMatchObject({ eventSource: 'aws:rmq' });
    await expect.poll(() => broker.count(queue)).toBe(0);
    expect(await broker.count(target)).toBe(0);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    api.close();
  });

  it.each([
    ['AWS_ENDPOINT_URL', 'pictures-prod-work:live'],
    ['LAMBDA_URL', 'pictures-prod-work'],
  ])(
    '--invoke lambda calls the alias of custom.warren.release at AWS, and none elsewhere: %s',
    async (variable, called) => {
      await prepare({}, 'work', { release: { alias: 'live' } });
      const paths: (string | undefined)[] = [];
      const api = createServer((request, response) => {
        paths.push(request.url);
        response.end('null');
      });
      await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
      const { port } = api.address() as AddressInfo;
      const credentials = {
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_REGION: 'us-east-1',
      };
      const env = { ...credentials, [variable]: `http://127.0.0.1:${port}` };
      const { child, exited } = await startWith(env, '--invoke', 'lambda', '--stage', 'prod');
      await broker.send(queue, { n: 1 });
      await expect.poll(() => paths.length, { timeout: 10_000 }).toBe(1);
      expect(decodeURIComponent(String(paths[0]))).toBe(`/2015-03-31/functions/${called}/invocations`);
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
      api.close();
    },
  );

  it('deprecated: startWorker starts a worker, and its stop takes milliseconds', async () => {
    await prepare();
    const calls: RabbitMQEvent[] = [];
    const { mappings, port, stop } = await startWorker({
      manifest: readManifest(await readFile(join(folder, 'warren.json'), 'utf8')),
      folder,
      url: stack.AMQP_URL,
      log: silentLog,
      invoke: () => async (event) => void calls.push(event),
      http: { host: '127.0.0.1', port: 0 },
    });
    expect(mappings.map((mapping) => mapping.queue)).toEqual([queue]);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    await broker.send(queue, { n: 1 });
    await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(1);
    expect(await stop(5000)).toBe(true);
    expect(await broker.count(queue)).toBe(0);
  });

  it.each([
    [['nothing'], 'functions: expected some of work, got nothing'],
    [['--invoke', 'lambda'], '--invoke lambda: expected --stage, and a manifest that names the service'],
  ])('an error about %j is one line', async (args, problem) => {
    await prepare();
    const { exited, errors } = await spawnWorker(...args);
    expect(await exited).toBe(1);
    expect(errors().trim()).toBe(`warren: ${problem}`);
  });
});

describe('the manifest', () => {
  const printed = {
    service: 'warren',
    provider: { name: 'aws', timeout: 15, environment: { A: 'provider', EMPTY: '' } },
    functions: {
      fed: {
        handler: 'a.handler',
        environment: { B: 'own' },
        events: [{ rabbitmq: { queue: 'q' } }, { sns: 'x' }],
      },
      asked: {
        handler: 'b.handler',
        timeout: 3,
        environment: { EMPTY: { Ref: 'x' } },
        events: [{ httpApi: 'GET /' }],
      },
      woken: { handler: 'c.handler', events: [{ schedule: 'rate(1 hour)' }] },
      notified: { handler: 'd.handler', events: [{ sns: 'x' }] },
    },
    custom: { warren: { queues: { q: {} } }, other: 1 },
  };

  it('the manifest has the functions that a queue, a route or a schedule calls, with the settings of the provider', () => {
    expect(toManifest(JSON.stringify(printed))).toEqual({
      service: 'warren',
      functions: {
        fed: {
          handler: 'a.handler',
          timeout: 15,
          environment: { A: 'provider', B: 'own' },
          events: [{ rabbitmq: { queue: 'q' } }],
        },
        asked: {
          handler: 'b.handler',
          timeout: 3,
          environment: { A: 'provider' },
          events: [{ httpApi: 'GET /' }],
        },
        woken: {
          handler: 'c.handler',
          timeout: 15,
          environment: { A: 'provider' },
          events: [{ schedule: 'rate(1 hour)' }],
        },
      },
      custom: { warren: { queues: { q: {} } } },
    });
  });

  it.each([
    ['no JSON', 'functions:', 'expected JSON'],
    ['no functions', '{}', 'functions: '],
    ['no handler', '{"functions": {"a": {}}}', 'functions.a.handler: '],
  ])('a manifest with %s is refused', (_what, text, problem) => {
    expect(() => readManifest(text)).toThrow(problem);
  });
});
