import { randomUUID } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import { writePolledMappings } from '../../runtime/hosts/long-poll.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { readTopology } from '../../runtime/topology/service-file.ts';
import { maxOriginalBytes } from '../../shared/pictures/originals.ts';
import { management } from '../support/broker.ts';
import { type OwnDatabase, ownDatabase } from '../support/database.ts';
import { bearer, openDeps, uniqueId } from '../support/deps.ts';
import { form } from '../support/events.ts';
import { lambdaApi } from '../support/lambda-api.ts';
import { buildImage, containerOf, LimitedProcess, lambdaOf } from '../support/limited.ts';
import { openMailSink } from '../support/mail-sink.ts';
import { plain } from '../support/pictures.ts';
import { stack } from '../support/stack.ts';

/** What the image contains, with the arguments and the memory of deploy/helm, on a vhost and a database of its own. */
describe('the memory of a pod', () => {
  const vhost = `test-memory-${randomUUID().slice(0, 8)}`;
  const amqpUrl = Object.assign(new URL(stack.AMQP_URL), { pathname: vhost }).href;
  const deps = openDeps();
  const patience = { timeout: 100_000, interval: 200 };
  let database: OwnDatabase;
  let running: LimitedProcess | undefined;

  beforeAll(async () => {
    const { username } = new URL(stack.AMQP_URL);
    await management('PUT', `/vhosts/${vhost}`);
    const all = { configure: '.*', write: '.*', read: '.*' };
    await management('PUT', `/permissions/${vhost}/${username}`, all);
    await applyTopology(amqpUrl, await readTopology());
    [database] = await Promise.all([ownDatabase(), buildImage()]);
  }, 300_000);
  afterEach(() => running?.stop());
  afterAll(async () => {
    await database?.drop();
    await deps.close();
    await management('DELETE', `/vhosts/${vhost}`);
  });

  const start = async (group: string, up: string, ports: string[], given: NodeJS.ProcessEnv = {}) => {
    const container = containerOf(group);
    const unlimited = { RATE_LIMIT_UPLOADS: 'off', RATE_LIMIT_ALERTS: 'off', QUOTA_OPEN_UPLOADS: '1000' };
    const env = { ...stack, ...unlimited, AMQP_URL: amqpUrl, DATABASE_URL: database.url, ...given };
    const limited = new LimitedProcess({ ...container, args: [...container.args, ...ports] }, env);
    running = limited;
    const { port } = await limited.up(up);
    const expectWithin = () => {
      const peak = limited.peak();
      expect(peak).toBeLessThan(container.bytes);
    };
    return { limited, port, expectWithin };
  };

  const serve = async () => {
    const started = await start('http', 'serving', ['--port', '0', '--metrics-port', '0']);
    const authorization = await bearer(uniqueId());
    const post = (path: string, body: NonNullable<RequestInit['body']>, contentType = 'application/json') =>
      fetch(`http://127.0.0.1:${started.port}${path}`, {
        method: 'POST',
        body,
        duplex: 'half',
        headers: { authorization, 'content-type': contentType },
      });
    return { ...started, post };
  };

  it('serve: bodies of 4.4 MB for a route that takes 64 KiB are refused, and cost neither memory nor time', async () => {
    const { limited, post, expectWithin } = await serve();
    const body = `[${Array(1_460_000).fill('{}').join()}]`;
    const before = limited.cpuMs();
    const announced = Array.from({ length: 20 }, () => post('/rpc/ping', body));
    const chunked = Array.from({ length: 20 }, () => post('/rpc/ping', new Blob([body]).stream()));
    const statuses = (await Promise.all([...announced, ...chunked])).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([413]));
    // Parsing one of them took 4 s.
    expect(limited.cpuMs() - before).toBeLessThan(4000);
    expectWithin();
  }, 120_000);

  it('serve: 40 alerts of 250 KiB and 60 uploads of 4 MiB at once are accepted, or refused for later', async () => {
    const { post, expectWithin } = await serve();
    const picture = Buffer.concat([await plain(640, 480).jpeg().toBuffer(), Buffer.alloc(4_100_000)]);
    const { body, contentType } = form([{ content: picture }]);
    const alert = JSON.stringify({ routing_key: 'info.memory', message: Array(32_000).fill({ a: 1 }) });
    const floods = [
      { count: 40, send: () => post('/alerts', alert) },
      { count: 60, send: () => post('/pictures', new Uint8Array(body), contentType) },
    ];
    for (const { count, send } of floods) {
      const answers = await Promise.all(Array.from({ length: count }, send));
      // A machine that is slow besides refuses some, because the broker does not confirm within 5 s.
      const refused = answers.filter(({ status }) => status !== 202);
      expect(refused.filter(({ status, headers }) => status !== 503 || !headers.has('retry-after'))).toEqual(
        [],
      );
      await expect.poll(async () => (await send()).status, patience).toBe(202);
    }
    expectWithin();
  }, 120_000);

  it('serve: thousands of connections that send headers or bodies slowly, or nothing, cost no more than their share', async () => {
    const { port, expectWithin } = await serve();
    const large = Array.from({ length: 15 }, (_, n) => `X-${n}: ${'x'.repeat(1000)}\r\n`).join('');
    const post = 'POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: 250000\r\n\r\n';
    const texts = [`GET /health HTTP/1.1\r\nHost: a\r\n${large}`, post + 'x'.repeat(200_000), ''];
    const sockets: Socket[] = [];
    try {
      for (let n = 0; n < 4500; n += 1) {
        const socket = connectSocket(port ?? 0, '127.0.0.1').on('error', () => undefined);
        socket.write(texts[n % 3] ?? '');
        sockets.push(socket);
        if (n % 100 === 99) await immediate();
      }
      // Those beyond the limit are closed at once, and those without complete headers after 10 s.
      const health = async () =>
        (await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))?.status;
      await expect.poll(health, patience).toBe(200);
      expectWithin();
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  }, 120_000);

  it('serve: replies of 16 MB from a server of RPC are answered with 502 at once', async () => {
    await withChannel(async (channel) => {
      // RabbitMQ 4 refuses messages above 16 MiB.
      const large = Buffer.from(`[${Array(5_300_000).fill('{}').join()}]`);
      const { consumerTag } = await channel.consume('ping', (message) => {
        const { replyTo, correlationId } = message?.properties ?? {};
        channel.sendToQueue(String(replyTo), large, { correlationId: String(correlationId) });
        if (message) channel.ack(message);
      });
      const { limited, post, expectWithin } = await serve();
      const before = limited.cpuMs();
      const answers = await Promise.all(Array.from({ length: 4 }, () => post('/rpc/ping', '{"time":1}')));
      const problems = await Promise.all(answers.map((answer) => answer.json()));
      const problem = { status: 502, title: 'The reply is too large' };
      expect(problems).toEqual(problems.map(() => expect.objectContaining(problem)));
      // Parsing one of them takes several seconds.
      expect(limited.cpuMs() - before).toBeLessThan(4000);
      expectWithin();
      await channel.cancel(consumerTag);
    });
  }, 120_000);

  const withChannel = async (use: (channel: ConfirmChannel) => Promise<void>) => {
    const model = await connect(amqpUrl);
    try {
      await use(await model.createConfirmChannel());
    } finally {
      await model.close();
    }
  };

  it.each([
    ['of 250 KiB', (n: number) => `[${n}, ${Array(31_000).fill('{"a":1}').join()}]`],
    [
      'of deep JSON, which would be long if it was indented',
      (n: number) => `${'['.repeat(98)}${n}${',0'.repeat(99_000)}${']'.repeat(98)}`,
    ],
    ['of 1 MB that are escaped in a mail', (n: number) => `["${n}${'\\"<'.repeat(340_000)}"]`],
  ])(
    'alert workers: alerts of 4 MB are dead-lettered, and 24 alerts %s behind them are mailed',
    async (_which, alert) => {
      const sink = await openMailSink();
      await withChannel(async (channel) => {
        await Promise.all(['alert-log', deadLetters].map((queue) => channel.purgeQueue(queue)));
        await database.db.deleteFrom('alert_log').execute();
        const send = (content: string) =>
          channel.publish('alerts', 'critical.memory', Buffer.from(content), {
            persistent: true,
            contentType: 'application/json',
            messageId: randomUUID(),
          });
        for (let n = 0; n < 3; n += 1) send(`[${Array(1_330_000).fill('{}').join()}]`);
        for (let n = 0; n < 24; n += 1) send(alert(n));
        await channel.waitForConfirms();
        const { expectWithin } = await start('alerts', 'worker is up', ['--port', '0'], {
          SMTP_URL: sink.url,
        });
        const count = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
        await expect.poll(() => count(deadLetters), patience).toBe(2 * 3);
        const done = async () => {
          const logged = await database.db.selectFrom('alert_log').select('id').execute();
          return [await count('critical'), await count('alert-log'), logged.length, sink.mails()];
        };
        await expect.poll(done, patience).toEqual([0, 0, 24, 24]);
        expectWithin();
      });
      sink.close();
    },
    120_000,
  );

  it('long poll: ten queues with messages of 1 MB are handled with the memory of the function on Lambda', async () => {
    const invoked: number[] = [];
    const api = await lambdaApi(async (event) => {
      invoked.push(JSON.stringify(event).length);
      await pause(100);
    });
    const mappings = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const queue = `long-poll-${n}`;
        await withChannel(async (channel) => {
          await channel.assertQueue(queue);
          for (let m = 0; m < 10; m += 1) channel.sendToQueue(queue, Buffer.alloc(1_000_000, 'x'));
          await channel.waitForConfirms();
        });
        const limits = { batchSize: 100, windowMs: 500, timeoutMs: 60_000, concurrency: 1 };
        return { functionName: queue, invokeAs: queue, queue, vhost, arn: 'arn:test', ...limits };
      }),
    );
    const lambda = await lambdaOf('poll-queues', 'long-poll-process', ['90000']);
    running = new LimitedProcess(lambda, {
      AMQP_URL: amqpUrl,
      LAMBDA_URL: api.endpoint,
      WARREN_MAPPINGS: writePolledMappings(mappings),
    });
    const ended = await running.up('long poll ended', 100_000);
    const warnings = running.texts.filter((text) => /"level":"(warn|error)"/.test(text));
    expect({ ...ended, warnings }).toMatchObject({ messages: 100, warnings: [] });
    expect(Math.max(...invoked)).toBeLessThan(6_000_000);
    expect(running.peak()).toBeLessThan(lambda.bytes);
    await api.close();
  }, 120_000);

  it('RPC workers: two calls of describe-picture for files of 100 MiB read only their beginning', async () => {
    const path = `originals/${uniqueId()}`;
    const jpeg = await plain(640, 480).jpeg().toBuffer();
    await deps.storage.put(
      path,
      Buffer.concat([jpeg, Buffer.alloc(maxOriginalBytes - jpeg.length)]),
      'image/jpeg',
    );
    const { expectWithin } = await start('rpc', 'worker is up', ['--port', '0']);
    const rpc = new RpcClient({ url: amqpUrl, name: 'memory test' });
    const calls = [1, 2].map(() => rpc.call('describe-picture', { image_path: path }, { timeoutMs: 50_000 }));
    const bytes = maxOriginalBytes;
    const described = { width: 640, height: 480, format: 'jpeg', bytes };
    expect((await Promise.all(calls)).map(({ body }) => body)).toEqual([described, described]);
    expectWithin();
    await rpc.close();
    await deps.storage.remove(path);
  }, 120_000);
});
