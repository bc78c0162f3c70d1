import { readFileSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { withClaims } from '../../runtime/claims/publisher.ts';
import { s3Claims } from '../../runtime/claims/s3.ts';
import type { Invoke } from '../../runtime/event-source/invoke.ts';
import { inProcess } from '../../runtime/hosts/in-process.ts';
import { lambdaInvoke } from '../../runtime/hosts/lambda.ts';
import { createLongPoll } from '../../runtime/hosts/long-poll.ts';
import { freePorts } from '../../runtime/local/free-port.ts';
import { startChild } from '../../runtime/local/process.ts';
import { type RabbitMQEvent, toEvent } from '../../runtime/messages/event.ts';
import { policiesVariable } from '../../runtime/messages/policies.ts';
import { lambdaContext } from '../../runtime/testing/invoke.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../support/broker.ts';
import { feeding, patience } from '../support/feeding.ts';
import type { HostNote } from '../support/host-handlers.ts';
import { lambdaApi } from '../support/lambda-api.ts';
import { testS3 } from '../support/s3.ts';
import { stack } from '../support/stack.ts';
import { WorkerFolder } from '../support/worker-process.ts';

const hosts = [
  'in process',
  'in function processes',
  'through the Lambda API',
  'by a long poll',
  'under serverless offline',
  "behind AWS's mapping",
] as const;
type Host = (typeof hosts)[number];
const functions = ['plain', 'batch', 'each'] as const;
type Handler = (event: unknown, context: unknown) => Promise<unknown>;

/** One retry after a second, so that a message that always fails is soon a dead letter. */
const policy = { delays: [1], maxAge: 60 };
const timeout = 15;

describe('the same function in each host', () => {
  let broker: TestBroker;
  let folder: WorkerFolder;
  const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('same function') });
  const claiming = withClaims(publisher, { claims: s3Claims({ s3: testS3(), bucket: stack.S3_BUCKET }) });
  const queues = new Map<string, string>();
  const queueOf = (host: Host, name: string) => queues.get(`${host} ${name}`) ?? '';
  const cleanups: (() => unknown)[] = [];
  const notesFile = () => join(folder.path, 'host-notes');

  beforeAll(async () => {
    [broker, folder] = await Promise.all([openBroker(), WorkerFolder.make()]);
    for (const host of hosts) {
      for (const name of functions) queues.set(`${host} ${name}`, await broker.queue());
    }
    await writeFile(notesFile(), '');
    await build({
      entryPoints: [projectFile('test/support/host-handlers.ts')],
      outfile: join(folder.path, 'handlers.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      keepNames: true,
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    const policies = Object.fromEntries([...queues.values()].map((queue) => [queue, policy]));
    const env = { ...stack, HOST_NOTES: notesFile(), [policiesVariable]: JSON.stringify(policies) };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    await send();
    await Promise.all([startOwn(), startWorker(env), startOffline(env)]);
  }, 180_000);
  afterAll(async () => {
    await Promise.all(cleanups.map((cleanup) => cleanup()));
    vi.unstubAllEnvs();
    await Promise.all([folder.remove(), publisher.close(), broker.close()]);
  });

  /** Sends all messages to all queues. AWS ignores `batchItemFailures` of a function behind Amazon MQ. */
  const send = async () => {
    for (const host of hosts) {
      for (const name of functions) {
        const requests =
          name === 'plain'
            ? ['good', 'fail once', 'fail always']
            : ['good', 'large', 'fail once', 'be rejected'];
        for (const does of requests) {
          const body = { host, does, ...(does === 'large' && { text: 'ä'.repeat(1_000_000) }) };
          await claiming.publish({
            exchange: '',
            routingKey: queueOf(host, name),
            messageId: `${host} ${does}`,
            body,
          });
        }
      }
    }
  };

  /** The hosts in the process of this test. */
  const startOwn = async () => {
    const handlers = (await import(join(folder.path, 'handlers.mjs'))) as Record<string, Handler>;
    for (const name of functions) {
      const handler = handlers[name] as Handler;
      const api = await lambdaApi(handler);
      cleanups.push(api.close);
      const settings = { functionName: name, timeoutMs: timeout * 1000 };
      const remote = lambdaInvoke({ ...settings, endpoint: api.endpoint });
      const local: Invoke = inProcess({ ...settings, load: async () => handler });
      const sources = [
        await feeding(queueOf('in process', name), local, { policy }),
        await feeding(queueOf('through the Lambda API', name), remote, { policy }),
      ];
      cleanups.push(...sources.map((source) => () => source.stop()));
      startLongPoll(name, remote);
      if (name !== 'plain') startMapping(name, handler);
    }
  };

  const startLongPoll = (name: string, remote: Invoke) => {
    const mapping = {
      functionName: name,
      invokeAs: name,
      queue: queueOf('by a long poll', name),
      vhost: '/',
      arn: 'arn:test',
      batchSize: 10,
      windowMs: 50,
      timeoutMs: timeout * 1000,
      policy,
    };
    let isOver = false;
    const poll = createLongPoll({
      url: stack.AMQP_URL,
      mappings: [mapping],
      invoke: () => remote,
      idleMs: 60_000,
    });
    const polled = poll({}, { getRemainingTimeInMillis: () => (isOver ? 2000 : 60_000) });
    cleanups.push(() => {
      isOver = true;
      return polled;
    });
  };

  /** As AWS's mapping: the event has no header of ours, a result is ignored, and a failed call means the batch again. */
  const startMapping = (name: string, handler: Handler) => {
    const queue = queueOf("behind AWS's mapping", name);
    let isOver = false;
    const run = async () => {
      const batch = [];
      for (let more = true; more && batch.length < 10; ) {
        const message = await broker.channel.get(queue);
        if (message) batch.push(message);
        more = message !== false;
      }
      if (batch.length === 0) return;
      const event: RabbitMQEvent = toEvent({ arn: 'arn:aws:mq', queue, vhost: '/' }, batch);
      const done = await handler(JSON.parse(JSON.stringify(event)), lambdaContext()).then(
        () => true,
        () => false,
      );
      for (const message of batch) broker.channel[done ? 'ack' : 'nack'](message);
    };
    const running = (async () => {
      while (!isOver) {
        await run();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    cleanups.push(() => {
      isOver = true;
      return running;
    });
  };

  const definitionsFor = (host: Host, event: object = {}) =>
    Object.fromEntries(
      functions.map((name) => [
        name,
        {
          handler: `handlers.${name}`,
          timeout,
          events: [{ rabbitmq: { queue: queueOf(host, name), batchSize: 10, ...event } }],
        },
      ]),
    );
  const custom = (host: Host) => ({
    queues: Object.fromEntries(
      functions.map((name) => [queueOf(host, name), { retryDelays: policy.delays }]),
    ),
  });

  const startWorker = async (env: Record<string, string>) => {
    const host = 'in function processes';
    await folder.manifest(definitionsFor(host), custom(host));
    await folder.start([], env);
  };

  const startOffline = async (env: Record<string, string>) => {
    const host = 'under serverless offline';
    const [arn, basicAuthArn] = [
      'arn:aws:mq:us-east-1:000000000000:broker:warren:b-00000000-0000-4000-8000-000000000000',
      'arn:aws:secretsmanager:us-east-1:000000000000:secret:same-000000',
    ];
    const { http, lambda } = await freePorts(['http', 'lambda']);
    const service = {
      service: 'same',
      plugins: ['warren', 'serverless-offline'],
      provider: { name: 'aws', runtime: 'nodejs24.x', region: 'us-east-1', timeout },
      custom: {
        warren: custom(host),
        'serverless-offline': { reloadHandler: false, localEnvironment: true, useInProcess: true },
      },
      functions: definitionsFor(host, { arn, basicAuthArn }),
    };
    await writeFile(join(folder.path, 'serverless.json'), JSON.stringify(service));
    await symlink(projectFile('node_modules'), join(folder.path, 'node_modules'));
    const program = projectFile('node_modules/serverless/bin/serverless.js');
    const ports = ['--httpPort', String(http), '--lambdaPort', String(lambda)];
    const child = startChild({
      name: 'serverless offline',
      command: process.execPath,
      args: [program, 'offline', 'start', '--noSponsor', '--host', '127.0.0.1', ...ports],
      cwd: folder.path,
      env: { ...process.env, ...env },
      logFile: join(folder.path, 'offline.log'),
    });
    cleanups.push(() => child.stop());
  };

  const notes = (host: Host): HostNote[] => {
    const lines = readFileSync(notesFile(), 'utf8').trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as HostNote).filter((note) => note.host === host);
  };
  const seen = (host: Host, name: string) =>
    notes(host)
      .filter((note) => note.function === name)
      .map(({ does, length }) => `${does} ${length}`)
      .toSorted();

  it.each(hosts.filter((host) => host !== "behind AWS's mapping"))(
    'a plain handler retries and dead-letters by batchItemFailures %s',
    async (host) => {
      const twice = (does: string) => [`${does} 0`, `${does} 0`];
      const expected = [...twice('fail always'), ...twice('fail once'), 'good 0'];
      await expect.poll(() => seen(host, 'plain'), { ...patience, timeout: 40_000 }).toEqual(expected);
      const [letter] = await dropLetters({ queue: queueOf(host, 'plain') }, 1);
      expect(letter).toMatchObject({ reason: 'exhausted', id: `${host} fail always` });
      expect(seen(host, 'plain')).toEqual(expected);
    },
  );

  it.each(hosts.flatMap((host) => (['batch', 'each'] as const).map((name) => [name, host] as const)))(
    'a function of kind "%s" gets a claimed body, retries and dead-letters %s',
    async (name, host) => {
      const expected = ['be rejected 0', 'fail once 0', 'fail once 0', 'good 0', 'large 1000000'];
      // Behind AWS, a copy that could not be published in time means the batch again.
      const isExact = host !== "behind AWS's mapping";
      const outcome = () => (isExact ? seen(host, name) : [...new Set(seen(host, name))]);
      const wanted = isExact ? expected : [...new Set(expected)];
      await expect.poll(outcome, { ...patience, timeout: 40_000 }).toEqual(wanted);
      const [letter] = await dropLetters({ queue: queueOf(host, name) }, 1);
      expect(letter).toMatchObject({ reason: 'rejected', error: 'RejectedError: as requested' });
      expect(outcome()).toEqual(wanted);
    },
  );
});
