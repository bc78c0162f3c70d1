import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type ConfirmChannel, connect, type Options } from 'amqplib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';
import type { DeadLetter } from '../../../runtime/dead-letters/dead-letter.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { readMappings } from '../../../runtime/event-source/mapping.ts';
import { Worker } from '../../../runtime/hosts/worker.ts';
import { policiesText, policiesVariable } from '../../../runtime/messages/policies.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { consumedQueues } from '../../../runtime/topology/consumed-queues.ts';
import { queueSettings } from '../../../runtime/topology/queue-settings.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, unique } from '../../support/broker.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { mailsTo } from '../../support/mailbox.ts';
import { plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

interface Yml {
  custom: { warren: Record<string, unknown> & { queues: Record<string, object> } };
  functions: Record<string, { handler: string; events: unknown[]; environment?: Record<string, string> }>;
}
const yml = parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as Yml;
const mappings = readMappings(yml.functions);
const queues = mappings.map(({ queue }) => queue);
const { queues: ownQueues } = yml.custom.warren;
/** The settings of production, except that a failed message is retried once, after a second, and that no phone has a limit. */
const section = {
  ...yml.custom.warren,
  retryDelays: [1],
  queues: {
    ...ownQueues,
    'walker-texts': { ...ownQueues['walker-texts'], perKey: { of: 'header.walker', concurrency: 4 } },
  },
};
const rpc = ['ping', 'describe-picture'];
const ordered = ['walker-notices', 'walker-texts'];

const deps = openDeps();
const vhost = unique('abuse');
const url = Object.assign(new URL(stack.AMQP_URL), { pathname: vhost }).href;
const logged: string[] = [];
/** An error with its innermost cause. */
const note = ({ queue, err }: { queue?: string; err?: Error }, text: string) => {
  let cause: unknown = err;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  logged.push(`${text} ${queue}: ${cause}`);
};
const log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
let worker: Worker;
let channel: ConfirmChannel;
let close: () => Promise<void>;
let sent = 0;

beforeAll(async () => {
  // Real queues with only this test's messages.
  await management('PUT', `/vhosts/${vhost}`);
  await applyTopology(url, compileTopology(readSection(section), consumedQueues(yml.functions)));
  const settings = { ...stack, AMQP_URL: url, LOG_LEVEL: 'silent' };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  vi.stubEnv(policiesVariable, policiesText(queueSettings(readSection(section))));
  const routes = {
    critical: { subject: 'abuse', to: `${vhost}@example.com` },
    rate_limit: { subject: 'abuse', to: `${vhost}@example.com` },
  };
  vi.stubEnv('ALERT_ROUTES', JSON.stringify(routes));
  const functions = Object.fromEntries(
    Object.entries(yml.functions).map(([name, { handler, events }]) => [
      name,
      { handler, events, timeout: 20 },
    ]),
  );
  const manifest = { functions, custom: { warren: section } };
  worker = new Worker({ manifest, folder: projectFile('.'), url, log: log as never });
  await worker.start();
  const connection = await connect(url);
  channel = await connection.createConfirmChannel();
  close = () => connection.close();
}, 60_000);
afterAll(async () => {
  await worker.stop({ deadlineMs: 10_000 });
  await close();
  vi.unstubAllEnvs();
  await management('DELETE', `/vhosts/${vhost}`);
  await deps.close();
});

async function send(queue: string, body: Buffer | string, options: Options.Publish = {}): Promise<string> {
  sent += 1;
  const messageId = `${vhost}-${sent}`;
  channel.sendToQueue(queue, Buffer.from(body as string), { persistent: true, messageId, ...options });
  await channel.waitForConfirms();
  return messageId;
}

const letters = (): Promise<DeadLetter[]> => listDeadLetters(url, {}, 10_000);
const topologyQueues = compileTopology(readSection(section), consumedQueues(yml.functions)).queues.map(
  ({ name }) => name,
);

/** Waits until all messages have been handled, including retries. */
async function quiet(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const marks: string[] = [];
    for (const queue of queues) marks.push(await send(queue, 'no JSON: a mark'));
    const gone = async () => {
      const ids = new Set((await letters()).map(({ id }) => id));
      return marks.filter((id) => !ids.has(id));
    };
    await expect.poll(gone, { timeout: 60_000, interval: 200 }).toEqual([]);
    const waiting = async () => {
      const counts = await Promise.all(topologyQueues.map((name) => channel.checkQueue(name)));
      return counts.filter(({ queue, messageCount }) => queue !== 'warren.dead-letters' && messageCount > 0);
    };
    await expect.poll(waiting, { timeout: 60_000, interval: 200 }).toEqual([]);
  }
}

/** Log lines of messages that were retried or dead-lettered. */
const settled = /will be retried|was dead-lettered/;

/** Expects that every message was handled in its first call: none crashed its call, and none was redelivered. */
function expectNoCrash(): void {
  expect(logged.filter((text) => !settled.test(text))).toEqual([]);
}

/** Sends the message as AMQP bytes, because our client cannot encode it. */
function sendNested(queue: string, depth: number): void {
  const { ch, connection } = channel as unknown as { ch: number; connection: { stream: Writable } };
  const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const u32 = (value: number) => Buffer.concat([u16(value >>> 16), u16(value & 65_535)]);
  const frame = (type: number, ...parts: Buffer[]) => {
    const payload = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([type]), u16(ch), u32(payload.length), payload, Buffer.from([0xce])]);
  };
  // Each level is a name of one character, and a table; the innermost is empty.
  const levels = Array.from({ length: depth }, (_, level) =>
    Buffer.concat([Buffer.from('\u0001tF'), u32((depth - 1 - level) * 7)]),
  );
  const name = Buffer.concat([Buffer.from([queue.length]), Buffer.from(queue)]);
  const [basic, publish, headersOnly, body] = [u16(60), u16(40), u16(1 << 13), Buffer.from('{}')];
  connection.stream.write(frame(1, basic, publish, u16(0), Buffer.from([0]), name, Buffer.from([0])));
  const size = Buffer.concat([u32(0), u32(body.length)]);
  connection.stream.write(frame(2, basic, u16(0), size, headersOnly, u32(depth * 7), ...levels));
  connection.stream.write(frame(3, body));
}

const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
function deepTable(depth: number): Record<string, unknown> {
  let table: Record<string, unknown> = { end: true };
  for (let n = 0; n < depth; n += 1) table = { t: table };
  return table;
}

/** The problem of each, and the reason that its dead letter has; `any` if it only must not affect the others. */
const nasty: [string, Buffer | string, Options.Publish, RegExp][] = [
  [
    'a bomb',
    gzipSync(Buffer.alloc(50_000_000)),
    { contentEncoding: 'gzip' },
    /body: expected at most 1048576 bytes, got more/,
  ],
  ['a bomb that says nothing', gzipSync(Buffer.alloc(50_000_000)), {}, /body: expected JSON in UTF-8/],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), {}, /body: expected JSON in UTF-8/],
  [
    'half a surrogate in UTF-8',
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    {},
    /body: expected JSON in UTF-8/,
  ],
  ['JSON nested 100,000 deep', deep(100_000), {}, /nested at most 100 deep/],
  [
    'objects nested 50,000 deep',
    `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    {},
    /nested at most 100 deep/,
  ],
  ['10 MB', JSON.stringify('x'.repeat(10_000_000)), {}, /size: expected at most 1048576 bytes/],
  ['nothing at all', '', {}, /body: expected JSON in UTF-8, .*got 0 bytes/],
  [
    'another content type',
    '{}',
    { contentType: 'application/x-java-serialized-object' },
    /content_type: expected/,
  ],
];

describe('the worker', () => {
  it.each(nasty)(
    'a message with %s is dead-lettered on every queue, with the reason',
    async (what, body, options, reason) => {
      const before = process.memoryUsage().rss;
      // 10 MB each is enough for two of them.
      const some = what === '10 MB' ? queues.slice(0, 2) : queues;
      const ids = new Map<string, string>();
      for (const queue of some) {
        const replyTo = rpc.includes(queue) && what !== '10 MB' ? { replyTo: 'nobody' } : {};
        ids.set(await send(queue, body, { ...options, ...replyTo }), queue);
      }
      const work = [...ids].filter(([, queue]) => !rpc.includes(queue) || what === '10 MB');
      const found = async () => {
        const all = await letters();
        return work.map(([id]) => all.find((letter) => letter.id === id)?.error);
      };
      // A queue with an order takes no more than 64 KiB, whatever is in it.
      const isTooLarge = (queue: string) =>
        ordered.includes(queue) && body.length > 65_536 && what !== '10 MB';
      const reasons = work.map(([, queue]) =>
        isTooLarge(queue) ? /size: expected at most 65536 bytes/ : reason,
      );
      await expect
        .poll(found, { timeout: 30_000 })
        .toEqual(reasons.map((each) => expect.stringMatching(each)));
      expectNoCrash();
      expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
    },
    60_000,
  );

  it('each such call is answered at once with an error', async () => {
    const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
    for (const method of rpc) {
      for (const [, body, options] of nasty.filter(([what]) => what !== '10 MB')) {
        await send(method, body, { ...options, replyTo, correlationId: 'x' });
        await expect
          .poll(async () => channel.get(replyTo, { noAck: true }), { timeout: 15_000 })
          .toMatchObject({ properties: { type: 'error', correlationId: 'x' } });
      }
    }
  }, 60_000);

  it('the worker survives absurd properties and headers', async () => {
    const long = 'x'.repeat(255);
    const odd: Options.Publish[] = [
      { headers: { big: 'x'.repeat(60_000) } },
      { headers: Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`h${n}`, n])) },
      { headers: deepTable(1000) },
      { headers: JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "toString": "x"}') },
      {
        headers: {
          'x-warren-attempts': '-1e308',
          'x-warren-faults': 'NaN',
          'x-warren-first-failed-at': 'never',
        },
      },
      { headers: { 'x-warren-exchange': { a: 1 }, 'x-warren-routing-key': [1, [2]], 'x-death': 'once' } },
      { headers: { CC: ['nowhere'], BCC: ['nowhere'], traceparent: deepTable(10), tracestate: ['x'] } },
      {
        headers: { when: { '!': 'timestamp', value: 8_000_000_000_000_000 }, bytes: Buffer.alloc(1000, 255) },
      },
      { replyTo: long, correlationId: long, type: long, appId: long, contentType: 'application/json' },
      { replyTo: 'rpc-\u0000-\r\n', correlationId: '\u0000\ud800' },
      { replyTo: 'amq.rabbitmq.reply-to.none.such' },
      { priority: 255, timestamp: 2 ** 53 - 1, expiration: '60000' },
      { timestamp: 0, messageId: '' },
    ];
    for (const queue of queues) for (const options of odd) await send(queue, '{"a": 1}', options);
    await quiet();
    expectNoCrash();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  }, 90_000);

  it.each([
    ['larger than our client can send', `"${'x'.repeat(100_000)}"`],
    ['of numbers that JavaScript and our client disagree about', '[1e308, -1e308, 1e19]'],
  ])('a message with headers %s is dead-lettered with them', async (_what, value) => {
    const name = unique('large');
    for (const queue of queues) {
      // Through the management API, because our client cannot encode them.
      await management(
        'POST',
        `/exchanges/${vhost}/amq.default/publish`,
        `{"routing_key": "${queue}", "payload": "no JSON", "payload_encoding": "string",
          "properties": {"message_id": "${name}-${queue}", "headers": {"small": "kept", "odd": ${value}}}}`,
      );
    }
    const found = async () => {
      const all = await letters();
      return queues.map((queue) => all.findLast(({ id }) => id === `${name}-${queue}`)?.headers);
    };
    const kept = expect.objectContaining({ small: 'kept', odd: JSON.parse(value) as unknown });
    await expect.poll(found, { timeout: 20_000 }).toEqual(queues.map(() => kept));
    for (const headers of await found()) expect(headers).not.toHaveProperty('x-warren-headers-left');
    expectNoCrash();
  });

  it('a message whose headers are nested too deeply to read is dead-lettered', async () => {
    const known = new Set((await letters()).map(({ id }) => id));
    // One of each kind: RabbitMQ itself takes seconds for each.
    const [work, call] = ['alert-log', 'ping'];
    for (const queue of [work, call]) sendNested(queue, 18_000);
    await quiet();
    expectNoCrash();
    // The messages of this test have none of our ids.
    const found = (await letters()).filter(({ id }) => !known.has(id) && !id.startsWith(vhost));
    expect(found.map(({ queue, error }) => [queue, error]).toSorted()).toEqual([
      [work, expect.stringContaining('unreadable-properties')],
      // A call without a reply address.
      [call, expect.stringContaining('reply_to')],
    ]);
  }, 90_000);

  it('the worker survives arbitrary messages', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    const field = fc.constantFrom(
      'image_id',
      'user_id',
      'image_path',
      'dog',
      'at',
      'minutes',
      'order_id',
      '__proto__',
    );
    const value = fc.oneof(text, fc.jsonValue(), fc.integer(), fc.constantFrom('\u0000', '../../x', '1e400'));
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
      fc.array(fc.tuple(field, value)).map((pairs) => {
        const members = pairs.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`);
        return Buffer.from(`{${members.join()}}`);
      }),
    );
    const options = fc.record(
      {
        headers: fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(text, fc.integer(), fc.boolean())),
        contentType: fc.constantFrom('application/json', 'text/plain', ''),
        contentEncoding: fc.constantFrom('utf-8', 'gzip', 'br'),
        replyTo: text,
        correlationId: text,
        type: text,
        priority: fc.nat(255),
        timestamp: fc.maxSafeNat(),
      },
      { requiredKeys: [] },
    );
    const seed = Number(process.env['ABUSE_SEED'] ?? Date.now() % 2 ** 31);
    for (const queue of queues) {
      const samples = fc.sample(fc.tuple(body, options), { seed, numRuns: 60 });
      for (const [content, given] of samples) await send(queue, content, given);
    }
    await quiet();
    expect({ seed, logged: logged.filter((line) => !settled.test(line)) }).toEqual({
      seed,
      logged: [],
    });
    const silent = (await letters()).filter(({ reason, error }) => reason === 'unknown' || !error);
    expect({ seed, silent }).toEqual({ seed, silent: [] });
  }, 120_000);

  it('afterwards the worker handles a good message on each queue', async () => {
    const [user, picture] = [uniqueId(), uniqueId()];
    await deps.storage.put(`originals/${picture}.jpg`, await plain(64, 48).jpeg().toBuffer(), 'image/jpeg');
    const upload = { image_id: picture, user_id: user, image_path: `originals/${picture}.jpg` };
    const order = { order_id: randomUUID(), user_id: user, dog: 'Rex', at: '2998-01-01T09:00:00Z' };
    const good: Record<string, unknown> = {
      critical: 'good',
      rate_limit: 'good',
      'alert-log': 'good',
      'resize-picture': upload,
      'add-points': upload,
      'notify-friends': upload,
      'log-upload': upload,
      'dog-walk': { ...order, minutes: 30 },
      'dog-wash': { ...order, order_id: randomUUID() },
      // Of a walk that is not booked: there is nothing to send.
      'walker-notices': { walk_id: randomUUID(), walker_id: 1, notice: 'booked' },
      'walker-texts': { walk_id: randomUUID(), walker_id: 1, notice: 'booked' },
      ping: {},
      'describe-picture': upload,
    };
    const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
    const ids: string[] = [];
    for (const queue of queues) {
      expect(good, 'a good message for each queue of serverless.yml').toHaveProperty([queue]);
      const reply = rpc.includes(queue) ? { replyTo } : {};
      ids.push(await send(queue, JSON.stringify(good[queue]), reply));
    }
    await expect.poll(async () => (await channel.checkQueue(replyTo)).messageCount).toBe(rpc.length);
    await quiet();
    const dead = (await letters()).filter(({ id }) => ids.includes(id));
    expect(dead.map(({ queue, error }) => ({ queue, error }))).toEqual([]);
    const rows = (table: 'points_entries' | 'upload_log') =>
      deps.db.selectFrom(table).select('picture_id').where('picture_id', '=', picture).execute();
    expect(await rows('points_entries')).toHaveLength(1);
    expect(await rows('upload_log')).toHaveLength(1);
    const alerts = await deps.db
      .selectFrom('alert_log')
      .select('id')
      .where('message_id', 'in', ids)
      .execute();
    expect(alerts).toHaveLength(1);
    expect(await mailsTo(`${vhost}@example.com`)).not.toHaveLength(0);
  }, 90_000);
});
