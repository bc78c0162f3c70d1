import { execFileSync } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { DevHost } from '../../../runtime/local/dev-host.ts';
import { plainManifest } from '../../../runtime/local/plain-manifest.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { save as saveFile } from '../../support/save.ts';
import { stack } from '../../support/stack.ts';
import { steadyLoad } from '../../support/steady-load.ts';

/** A function that writes its text and the body of each message to the queue `TARGET`, and answers requests with its text. */
const handler = `
import { execFileSync } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'amqplib';
import { text } from './text.ts';
const open = async () => (await connect(process.env['AMQP_URL'] ?? '')).createConfirmChannel();
let opening: ReturnType<typeof open> | undefined;
interface Event {
  rmqMessagesByQueue?: Record<string, { data: string }[]>;
  queryStringParameters?: { until?: string };
}
export async function handler(event: Event) {
  if (!event.rmqMessagesByQueue) {
    // A request for "/page?until=FILE" ends when the file is there.
    const { until } = event.queryStringParameters ?? {};
    if (until) await writeFile(until + '.begun', '');
    while (until && !existsSync(until)) await new Promise((resolve) => setTimeout(resolve, 20));
    return { statusCode: 200, body: text };
  }
  opening ??= open();
  const channel = await opening;
  for (const { data } of Object.values(event.rmqMessagesByQueue).flat()) {
    const body = JSON.parse(Buffer.from(data, 'base64').toString());
    channel.sendToQueue(process.env['TARGET'] ?? '', Buffer.from(JSON.stringify({ text, body })));
  }
  await channel.waitForConfirms();
}
`;

/** Opens a named pipe for writing as soon as a process reads it; until then, the system answers with ENXIO. */
async function openPipe(path: string) {
  const opened = () => open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
  for (;;) {
    const pipe = await opened();
    if (pipe) return pipe;
    await pause(20);
  }
}

/** How many saves the test of the load makes. */
const reloads = Number(process.env['WARREN_RELOADS'] ?? 3);

describe('warren dev', () => {
  let broker: TestBroker;
  let root: string;
  let host: DevHost;
  let target: string;
  let queue: string;
  let lines: string[];
  /** How often serverless.yml was read. */
  let reads: number;

  beforeAll(async () => {
    broker = await openBroker();
  });
  beforeEach(async () => {
    root = await mkdtemp(join(projectFile('node_modules'), '.dev-test-'));
    await mkdir(join(root, 'src'));
    [target, queue, lines, reads] = [await broker.queue('target'), await broker.queue('dev'), [], 0];
    await write('src/work.ts', handler);
    await save('one');
    await service({ work: [queue] });
    host = newHost();
    await host.start();
  });
  afterEach(async () => {
    await host.stop();
    await rm(root, { recursive: true, force: true });
  });
  afterAll(() => broker.close());

  const newHost = () =>
    new DevHost({
      root,
      url: stack.AMQP_URL,
      log: silentLog,
      port: 0,
      program: {
        file: projectFile('dev/warren.mjs'),
        args: ['function-process'],
        env: { ...process.env, AMQP_URL: stack.AMQP_URL },
      },
      readManifest: () => {
        reads += 1;
        return plainManifest(join(root, 'serverless.yml'));
      },
      print: (line) => lines.push(line),
    });

  const write = (file: string, text: string) => saveFile(join(root, file), text);
  const save = (text: string) => write('src/text.ts', `export const text = '${text}';`);
  /** Writes a serverless.yml with functions that have the same handler. */
  const service = (
    functions: Record<string, string[]>,
    routes = ['GET /page'],
    settings: Record<string, object> = {},
  ) => {
    const events = (queues: string[]) => queues.map((each) => ({ rabbitmq: { queue: each, batchSize: 1 } }));
    const yml = {
      service: 'dev-test',
      provider: { name: 'aws', environment: { TARGET: target } },
      functions: {
        ...Object.fromEntries(
          Object.entries(functions).map(([name, queues]) => [
            name,
            { handler: 'src/work.handler', events: events(queues) },
          ]),
        ),
        page: { handler: 'src/work.handler', events: routes.map((httpApi) => ({ httpApi })) },
      },
      custom: {
        warren: {
          queues: Object.fromEntries(
            Object.values(functions)
              .flat()
              .map((each) => [each, settings[each] ?? {}]),
          ),
          retryDelays: [1],
        },
      },
    };
    return write('serverless.yml', stringify(yml));
  };
  const taken = async () => JSON.parse((await broker.take(target, 60_000)).content.toString()) as object;
  const page = async (query = '') =>
    (await fetch(`http://127.0.0.1:${host.generation?.port}/page${query}`)).text();
  const consumers = async () => (await broker.channel.checkQueue(queue)).consumerCount;
  const printed = (text: RegExp) =>
    expect.poll(() => lines.filter((line) => text.test(line)).length, { timeout: 60_000 });

  it('runs new code with the next message and the next request, and prints a line for each call', async () => {
    await broker.send(queue, 1);
    expect(await taken()).toEqual({ text: 'one', body: 1 });
    expect(await page()).toBe('one');
    await save('two');
    await expect.poll(() => page(), { timeout: 60_000, interval: 20 }).toBe('two');
    await printed(/reloaded.*work, page/).toBe(1);
    await broker.send(queue, 2);
    expect(await taken()).toEqual({ text: 'two', body: 2 });
    await printed(new RegExp(`work.*${queue}.*ms.*done`)).toBe(2);
    await printed(/page.*GET \/page.*200/).toBeGreaterThan(1);
  }, 120_000);

  it('reports code with a mistake once, and goes on with the old code until it is mended', async () => {
    await write('src/text.ts', 'export const text = ;');
    await printed(/not reloaded[\s\S]*src\/text\.ts:1:20: ERROR/).toBe(1);
    expect(await page()).toBe('one');
    // Another save with the same mistake, and then a good one: what was reported in between is known when that has run.
    await write('src/work.ts', `${handler}\n`);
    await save('mended');
    await expect.poll(() => page(), { timeout: 60_000, interval: 20 }).toBe('mended');
    await printed(/not reloaded/).toBe(1);
  }, 120_000);

  it(
    'saves under 100 messages a second lose no message and run none twice',
    async () => {
      const numbers: number[] = [];
      const take = (message: ConsumeMessage | null) =>
        numbers.push(JSON.parse(String(message?.content)).body as number);
      const { consumerTag } = await broker.channel.consume(target, take, { noAck: true });
      const load = steadyLoad(
        (n) => broker.send(queue, n),
        () => numbers.length,
      );
      const reload = async (version: number) => {
        await save(`version ${version}`);
        await printed(/reloaded/).toBe(version);
      };
      await reload(1);
      for (let version = 2; version <= reloads; version += 1) await reload(version);
      const sent = await load.stop();
      await expect.poll(() => numbers.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(sent);
      await expect.poll(() => broker.count(queue), { timeout: 60_000 }).toBe(0);
      await broker.channel.cancel(consumerTag);
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, n) => n));
    },
    60_000 + reloads * 30_000,
  );

  it('a request in flight is answered by the old code when serverless.yml changes, although no message is', async () => {
    const until = join(root, 'until');
    const answer = page(`?until=${until}`);
    await expect.poll(() => existsSync(`${until}.begun`), { timeout: 60_000 }).toBe(true);
    await service({ work: [queue], more: [] });
    // The old worker has stopped when its queue has no consumer.
    await expect.poll(consumers, { timeout: 60_000 }).toBe(0);
    await writeFile(until, '');
    expect(await answer).toBe('one');
    await printed(/serverless\.yml.*applied/).toBe(1);
  }, 120_000);

  it('a serverless.yml saved beside code with a mistake is applied when that is mended, and the old code goes on', async () => {
    const added = `${queue}-added`;
    await write('src/text.ts', 'export const text = ;');
    await printed(/not reloaded/).toBe(1);
    await service({ work: [queue], more: [added] });
    await expect.poll(() => reads, { timeout: 60_000 }).toBe(2);
    await broker.send(queue, 'between');
    expect(await taken()).toEqual({ text: 'one', body: 'between' });
    expect(await page()).toBe('one');
    await save('mended');
    await printed(/serverless\.yml.*applied/).toBe(1);
    expect(await page()).toBe('mended');
    await broker.send(added, 'new');
    expect(await taken()).toEqual({ text: 'mended', body: 'new' });
    await broker.remove(added);
    const reports = lines.flatMap((line) => /not reloaded|reloaded|applied/.exec(line) ?? []);
    expect(reports).toEqual(['not reloaded', 'reloaded', 'applied']);
  }, 120_000);

  it('the old hosts start again if those of a changed serverless.yml cannot', async () => {
    await service({ work: [queue] }, ['GET /page', 'GET /twice/{a}', 'GET /twice/{b}']);
    await printed(/not reloaded.*already declared/).toBe(1);
    await broker.send(queue, 'again');
    expect(await taken()).toEqual({ text: 'one', body: 'again' });
    await expect.poll(() => page(), { timeout: 60_000 }).toBe('one');
    expect(lines.join()).not.toMatch(/applied/);
  }, 120_000);

  it('a stop with a deadline reports that a request was cut off, and removes the code', async () => {
    const cut = page(`?until=${join(root, 'until')}`).catch(() => 'cut off');
    await expect.poll(() => existsSync(join(root, 'until.begun')), { timeout: 60_000 }).toBe(true);
    expect(await host.stop({ deadlineMs: 100 })).toBe(false);
    expect(await cut).not.toBe('one');
    expect(await readdir(join(root, '.warren/code'))).toEqual([]);
  }, 120_000);

  it('a stop during a build ends it, reports nothing and starts nothing', async () => {
    await host.stop();
    // The bundler waits until something is written into the pipe.
    const pipe = join(root, 'src/text.ts');
    await rm(pipe);
    execFileSync('mkfifo', [pipe]);
    lines.splice(0);
    const other = newHost();
    const started = other.start();
    const writer = await openPipe(pipe);
    const stopped = other.stop();
    await writer.writeFile("export const text = 'late';");
    await writer.close();
    await Promise.all([started, stopped]);
    expect(lines).toEqual([]);
    expect(other.generation?.port).toBeUndefined();
    expect(existsSync(join(root, '.warren/code'))).toBe(true);
    expect(await readdir(join(root, '.warren/code'))).toEqual([]);
  }, 60_000);

  it('applies a function and a queue that are added to serverless.yml, and reports a mistake there', async () => {
    const added = `${queue}-added`;
    await service({ work: [queue], more: [added] });
    await printed(/serverless\.yml.*applied/).toBe(1);
    await broker.send(added, 'new');
    expect(await taken()).toEqual({ text: 'one', body: 'new' });
    await broker.remove(added);
    await write('serverless.yml', 'functions: 7');
    await printed(/not reloaded.*functions: expected/).toBe(1);
    await broker.send(queue, 'still fed');
    expect(await taken()).toEqual({ text: 'one', body: 'still fed' });
  }, 120_000);

  it('orderBy: a queue that is added to serverless.yml with it is fed, and the messages of each key are in order over a reload', async () => {
    const ordered = `${queue}-ordered`;
    const orderBy = { orderBy: 'header.customer', partitions: 2, concurrency: 4 };
    await service({ work: [queue], ordered: [ordered] }, undefined, { [ordered]: orderBy });
    await printed(/serverless\.yml.*applied/).toBe(1);
    const customers = ['ann', 'bob', 'cid', 'dan'];
    const numbers = Array.from({ length: 10 }, (_, n) => n);
    const send = async (n: number) => {
      for (const customer of customers)
        await broker.send(ordered, `${customer} ${n}`, { headers: { customer } });
    };
    for (const n of numbers.slice(0, 5)) await send(n);
    await save('two');
    for (const n of numbers.slice(5)) await send(n);
    await printed(/reloaded.*ordered/).toBe(1);
    const steps: string[] = [];
    for (const _ of customers.flatMap(() => numbers)) steps.push(((await taken()) as { body: string }).body);
    for (const customer of customers)
      expect(steps.filter((step) => step.startsWith(customer))).toEqual(
        numbers.map((n) => `${customer} ${n}`),
      );
    await host.stop();
    for (const name of ['0', '1', 'workers']) await broker.channel.deleteQueue(`${ordered}.${name}`);
    await broker.remove(ordered);
    await broker.channel.deleteExchange(`${ordered}.by.header.customer.2`);
  }, 120_000);
});
