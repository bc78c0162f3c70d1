import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hexDump } from '../../../runtime/cli/letter.ts';
import { deadExchange, deadLetterLog, deadLetterNews, deadLetters } from '../../../runtime/topology/names.ts';
import { management } from '../../support/broker.ts';
import { type LetterVhost, openLetterVhost } from '../../support/letter-vhost.ts';
import { openProxy } from '../../support/proxy.ts';
import { runWarren, startWarren, warrenArguments, warrenEnvironment } from '../../support/warren-command.ts';

/** This file has a virtual host of its own: `--all` must not mean the dead letters of other tests. */
let vhost: LetterVhost;
let url: URL;
let channel: LetterVhost['channel'];
/** What the commands remember of the index. */
let cache: string;
const [shop, bank] = ['shop', 'bank'];
const section = { deadLetterIndex: true, queues: { [shop]: {}, [bank]: {} } };
// A killed command, and a process for each command, take some seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'warren-cache-'));
  vhost = await openLetterVhost([shop, bank]);
  url = new URL(vhost.url);
  channel = vhost.channel;
});
beforeEach(() => vhost.empty());
afterAll(async () => {
  await vhost.close();
  await rm(cache, { recursive: true });
});

interface Letter {
  queue?: string;
  id?: string;
  reason?: string;
  at?: string;
  body?: Buffer | string;
  headers?: Record<string, unknown>;
}

/** Publishes a dead letter as `onMessages` does. */
function letter(
  { queue = shop, id, reason = 'rejected', at = '2026-01-01T00:00:00.000Z', ...rest }: Letter,
  to = channel,
) {
  const headers = {
    'x-warren-queue': queue,
    'x-warren-reason': reason,
    'x-warren-attempts': 3,
    'x-warren-error': 'Error: \u001b[31mred',
    'x-warren-last-failed-at': at,
    ...rest.headers,
  };
  const properties = { headers, persistent: true, ...(id !== undefined && { messageId: id }) };
  to.publish(deadExchange, queue, Buffer.from(rest.body ?? '{"a":1}'), properties);
  return to.waitForConfirms();
}

/** Publishes many dead letters at once, with the ids m0, m1 and so on. */
const fill = async (many: number) => {
  const headers = { 'x-warren-queue': shop, 'x-warren-reason': 'rejected' };
  for (let n = 0; n < many; n += 1) {
    const properties = { headers, messageId: `m${n}`, persistent: true };
    channel.publish(deadExchange, shop, Buffer.from('1'), properties);
  }
  await channel.waitForConfirms();
};

const count = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
/** Takes all messages of a queue, and returns their ids. A consumer is faster than a request for each of thousands. */
const ids = async (queue: string): Promise<string[]> => {
  const found: string[] = [];
  const expected = await count(queue);
  if (expected > 100) {
    const { consumerTag } = await channel.consume(
      queue,
      (message) => found.push(String(message?.properties.messageId)),
      { noAck: true },
    );
    await vi.waitUntil(() => found.length >= expected, { timeout: 60_000, interval: 5 });
    await channel.cancel(consumerTag);
  }
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (!message) return found;
    found.push(String(message.properties.messageId));
  }
};

/** Runs `warren dead-letters`. */
const run = (...args: string[]) =>
  runWarren(['dead-letters', ...args], { AMQP_URL: url.href, WARREN_CACHE: cache });
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out) as unknown;

describe('warren dead-letters list', () => {
  it('list: counts by queue and reason have the oldest and the newest, and the dead letters follow', async () => {
    expect((await run('list')).out.trim()).toBe('no dead letters');
    await letter({ id: 'a', at: '2026-01-02T00:00:00.000Z' });
    await letter({ id: 'b', at: '2026-01-01T00:00:00.000Z' });
    await letter({ id: 'c', reason: 'exhausted' });
    await letter({ id: 'd', queue: bank });
    const { code, out } = await run('list');
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/shop +│ rejected +│ 2 +│ 2026-01-01T.* │ 2026-01-02T/),
    ]);
    expect(out).toMatch(/│ c +│ shop +│ exhausted +│ 3 /);
    expect(out).not.toContain('\u001b');
    expect(await json('list', '--queue', shop, '--reason', 'rejected', '--limit', '1')).toMatchObject({
      total: 2,
      groups: [{ queue: shop, reason: 'rejected', count: 2 }],
      letters: [{ id: 'a', attempts: 3 }],
    });
    expect(await count(deadLetters)).toBe(4);
  });

  it('list: --limit limits the list, and the number of the others is printed', async () => {
    for (const id of ['a', 'b', 'c']) await letter({ id });
    expect((await run('list', '--limit', '2')).out).toContain('and 1 more');
    expect((await run('list', '--limit', '0')).out).not.toContain('attempts');
  });
});

/** The other tests run their commands in this process. */
describe('warren dead-letters as a process', () => {
  it.each([
    ['list', /│ a +│ shop /],
    ['list --page', /│ a +│ shop .*the next page: --page/s],
    ['summary', /shop +│ rejected/],
    ['show a', /^id +a\n/],
    ['reindex', /^1 dead letters, 0 of them/],
    ['replay a', /^put back 1\n$/],
    ['drop a --yes', /^deleted 1\n$/],
  ])('%s: the process ends with its result', async (words, text) => {
    await letter({ id: 'a' });
    const args = ['dead-letters', ...words.split(' ')];
    const { code, out, err } = await startWarren(args, { AMQP_URL: url.href });
    expect([code, out]).toEqual([0, expect.stringMatching(text)]);
    // On a slow machine, progress is printed.
    expect(err).toMatch(/^((looked at|read) [^\n]+\n)*$/);
  });

  it('list: --limit must be a whole number', async () => {
    const args = ['dead-letters', 'list', '--limit', 'x'];
    const { code, err } = await startWarren(args, { AMQP_URL: url.href });
    expect([code, err]).toEqual([1, expect.stringContaining('expected a whole number')]);
  });
});

describe('warren dead-letters by the index', () => {
  it('gone: it lists what was done with the dead letters that are gone, the latest first', async () => {
    for (const id of ['a', 'b', 'c']) await letter({ id });
    expect((await run('gone')).out).toBe('no dead letter is known to be gone\n');
    await run('replay', 'b');
    await run('drop', 'a', '--yes');
    expect((await run('gone')).out).toMatch(/│ a +│ shop .* dropped +│ .*\n│ b +│ shop .* replayed +│ /);
    expect((await run('gone', '--limit', '1')).out).not.toContain('│ b ');
  });

  it('list: --page lists one page after another', async () => {
    for (const id of ['a', 'b', 'c']) await letter({ id });
    const first = (await json('list', '--page', '--limit', '2')) as {
      letters: { id: string }[];
      next: number;
    };
    expect(first.letters.map(({ id }) => id)).toEqual(['a', 'b']);
    const second = await run('list', '--page', String(first.next), '--limit', '2');
    expect(second.out).toMatch(/│ c +│ shop .*\n\nthe next page: --page \d+\n$/s);
    expect(second.out).not.toContain('│ b ');
    const [, last] = /--page (\d+)/.exec(second.out) ?? [];
    expect((await run('list', '--page', String(last))).out).toBe('no more dead letters\n');
  });

  it('summary: dead letters are counted by queue, reason and error, and --error selects', async () => {
    await letter({ id: 'a' });
    await letter({ id: 'b' });
    await letter({ id: 'c', headers: { 'x-warren-error': 'TypeError: x\n  at y' } });
    const { out } = await run('summary');
    expect(out).toMatch(/shop +│ rejected +│ Error: \\u001b\[31mred +│ 2 /);
    expect(out).toMatch(/shop +│ rejected +│ TypeError: x +│ 1 /);
    expect(await run('replay', '--error', 'TypeError')).toMatchObject({ code: 0, out: 'put back 1\n' });
    expect(await ids(shop)).toEqual(['c']);
    expect(await json('summary', '--error', 'Type')).toEqual([]);
  });

  it('list: a difference between index and queue is reported, and reindex removes it', async () => {
    await letter({ id: 'a' });
    await letter({ id: 'b' });
    await channel.get(deadLetters, { noAck: true });
    expect((await run('list')).err).toContain('the queue has 1 dead letters, the index 2');
    expect((await run('reindex')).out).toBe('1 dead letters, 0 of them added to the index\n');
    const { out, err } = await run('list');
    expect([err, out]).toEqual(['', expect.stringContaining('│ b ')]);
  });

  it('summary: a command that is killed while it moves copies loses no entry and writes none twice', async () => {
    await fill(6000);
    for (const left of [5500, 4500]) {
      const child = spawn(process.execPath, warrenArguments(['dead-letters', 'summary']), {
        env: warrenEnvironment({ AMQP_URL: url.href, WARREN_CACHE: cache }),
        stdio: 'ignore',
      });
      await expect.poll(() => count(deadLetterNews), { timeout: 60_000, interval: 5 }).toBeLessThan(left);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    expect(await json('summary')).toMatchObject([{ queue: shop, count: 6000 }]);
    // RabbitMQ 4 returns the copies of a killed command in another order.
    const { total, letters } = (await json('list', '--limit', '7000')) as {
      total: number;
      letters: Letter[];
    };
    expect(total).toBe(6000);
    expect(new Set(letters.map(({ id }) => id))).toEqual(
      new Set(Array.from({ length: 6000 }, (_, n) => `m${n}`)),
    );
    expect((await run('list', '--page', '--error', 'none')).out).toBe('no more dead letters\n');
    expect((await run('list', '--page', '5000', '--queue', shop, '--limit', '2')).out).toMatch(/m\d+/);
    expect(await count(deadLetters)).toBe(6000);
  });

  it('drop: --limit deletes the oldest', async () => {
    for (const id of ['a', 'b', 'c']) await letter({ id });
    expect((await run('drop', '--all', '--limit', '2', '--yes')).out).toBe('deleted 2\n');
    expect(await ids(deadLetters)).toEqual(['c']);
  });
});

describe('warren dead-letters above 2,000', () => {
  it('list, show, drop: 2,100 dead letters are counted, found and deleted', async () => {
    await fill(2100);
    expect(await json('list', '--limit', '1')).toMatchObject({ total: 2100, letters: [{ id: 'm0' }] });
    expect((await run('show', 'm2050')).out).toMatch(/^id +m2050\n/);
    expect((await run('drop', '--all')).err).toContain('would delete 2100;');
    expect((await run('drop', '--all', '--yes')).out).toBe('deleted 2100\n');
    expect(await count(deadLetters)).toBe(0);
  });
});

describe('warren dead-letters show', () => {
  it('show: a dead letter is printed whole and stays in the queue', async () => {
    await letter({ id: 'a', headers: { city: 'Zürich' } });
    const { out } = await run('show', 'a');
    expect(out).toMatch(/^id +a\n/);
    expect(out).toContain('"city": "Zürich"');
    expect(out).toContain('body, 7 bytes\n{\n  "a": 1\n}');
    expect(await json('show', 'a')).toMatchObject({ id: 'a', body: '{"a":1}', bodyEncoding: 'utf-8' });
    expect(await count(deadLetters)).toBe(1);
  });

  it('show: a body is printed unchanged if formatting would change a value', async () => {
    await letter({ id: 'a', body: '{"id": 12345678901234567890}' });
    expect((await run('show', 'a')).out).toContain('\n{"id": 12345678901234567890}\n');
    await letter({ id: 'b', body: 'not JSON \u001b[31m' });
    expect((await run('show', 'b')).out).toContain('\nnot JSON \\u001b[31m\n');
  });

  it('show: bytes that are not text are printed as a hex dump', async () => {
    await letter({ id: 'a', body: Buffer.from([0xff, 0xd8, 0x41]) });
    expect((await run('show', 'a')).out).toContain(`00000000  ff d8 41 ${' '.repeat(38)}  ..A`);
    const lines = hexDump(Buffer.alloc(17, 0x20)).split('\n');
    expect(lines.map((line) => line.slice(0, 8))).toEqual(['00000000', '00000010']);
  });

  it('show: an unknown id is an error, and a shared id is reported', async () => {
    expect(await run('show', 'none')).toMatchObject({
      code: 1,
      err: 'warren: there is no dead letter with id "none"\n',
    });
    await letter({ id: 'a' });
    await letter({ id: 'a', queue: bank });
    expect((await run('show', 'a')).err).toContain('1 more with this id, from "bank"');
    expect(await run('show', 'a', '--queue', bank)).toMatchObject({ code: 0, err: '' });
  });
});

describe('warren dead-letters replay', () => {
  it('replay: the dead letters with the given ids return to their queue', async () => {
    for (const id of ['a', 'b', 'c']) await letter({ id });
    expect(await json('replay', 'a', 'c')).toMatchObject({
      replayed: [{ id: 'a', queue: shop, reason: 'rejected' }, { id: 'c' }],
      stayed: [],
    });
    expect(await ids(shop)).toEqual(['a', 'c']);
    expect(await ids(deadLetters)).toEqual(['b']);
  });

  it('replay: a selection by queue and reason or --all is required', async () => {
    await letter({ id: 'a' });
    await letter({ id: 'b', reason: 'too-old' });
    await letter({ id: 'c', queue: bank });
    expect(await run('replay')).toMatchObject({ code: 1, err: expect.stringContaining('which ones?') });
    expect(await run('replay', '--all', '-q', shop)).toMatchObject({ code: 1 });
    await run('replay', '--queue', shop, '--reason', 'too-old');
    expect(await ids(shop)).toEqual(['b']);
    expect((await run('replay', '--all')).out).toBe('put back 2\n');
    expect([await ids(shop), await ids(bank)]).toEqual([['a'], ['c']]);
  });

  it('replay: a dead letter whose queue is deleted stays, its queue is named, and the others return', async () => {
    await letter({ id: 'a', queue: 'gone' });
    await letter({ id: 'b' });
    const { code, out, err } = await run('replay', '--all');
    expect([code, out]).toEqual([1, 'put back 1\n']);
    expect(err).toContain('1 stay in the dead letters, their queue is gone: "gone"');
    expect([await ids(shop), await ids(deadLetters)]).toEqual([['b'], ['a']]);
  });

  it('replay: the error names unknown ids', async () => {
    await letter({ id: 'a' });
    expect(await run('replay', 'a', 'x')).toMatchObject({
      code: 1,
      out: 'put back 1\n',
      err: expect.stringContaining('no dead letter with id "x"'),
    });
  });

  it('replay: a dead letter that cannot be published stays with its reason, and the others return', async () => {
    await letter({ id: 'a' });
    // No routing key is longer than 255 bytes.
    const headers = { 'x-warren-queue': 'q'.repeat(300), 'x-warren-reason': 'rejected' };
    channel.publish(deadExchange, shop, Buffer.from('1'), { messageId: 'b', headers });
    await letter({ id: 'c' });
    const { code, out, err } = await run('replay', '--all');
    expect([code, out]).toEqual([1, 'put back 2\n']);
    expect(err).toMatch(/^warren: 1 stay in the dead letters, they cannot be published: "b" \(.*routingKey/);
    expect([await ids(shop), await ids(deadLetters)]).toEqual([['a', 'c'], ['b']]);
  });

  it('replay: a dead letter returns with headers that are larger than our client can encode', async () => {
    await letter({ id: 'a' });
    // amqplib cannot publish more than 64 KiB of headers; the management API can.
    const headers = { 'x-warren-queue': shop, 'x-warren-reason': 'rejected', long: 'x'.repeat(100_000) };
    await management('POST', `/exchanges/${vhost.name}/${deadExchange}/publish`, {
      routing_key: shop,
      payload: '1',
      payload_encoding: 'string',
      properties: { message_id: 'b', headers },
    });
    await letter({ id: 'c' });
    expect(await run('replay', '--all')).toMatchObject({ code: 0, out: 'put back 3\n' });
    expect([await ids(shop), await ids(deadLetters)]).toEqual([['a', 'b', 'c'], []]);
  });

  it('replay: --limit returns the oldest dead letters, and those that stay do not count', async () => {
    await letter({ id: 'a', queue: 'gone' });
    for (const id of ['b', 'c', 'd']) await letter({ id });
    expect((await run('replay', '--all', '--limit', '2')).out).toBe('put back 2\n');
    expect([await ids(shop), (await ids(deadLetters)).sort()]).toEqual([
      ['b', 'c'],
      ['a', 'd'],
    ]);
  });

  it('replay: --limit returns the oldest also if many in between stay', async () => {
    for (let n = 0; n < 120; n += 1) await letter({ id: `m${n}`, queue: n % 3 === 0 ? shop : 'gone' });
    const limit = 30;
    expect((await run('replay', '--all', '--limit', String(limit))).out).toBe(`put back ${limit}\n`);
    expect(await ids(shop)).toEqual(Array.from({ length: limit }, (_, n) => `m${n * 3}`));
  });

  it('replay: --to puts the dead letters of a deleted queue into another queue', async () => {
    await letter({ id: 'a', queue: 'gone' });
    await letter({ id: 'b', queue: 'gone' });
    expect(await run('replay', '--queue', 'gone', '--to', bank)).toMatchObject({
      code: 0,
      out: 'put back 2\n',
    });
    expect([await ids(bank), await ids(deadLetters)]).toEqual([['a', 'b'], []]);
    await letter({ id: 'c' });
    expect((await run('replay', 'c', '--to', 'none')).err).toContain('their queue is gone: "none"');
    expect(await ids(deadLetters)).toEqual(['c']);
  });

  const many = 5000;
  /** Starts a replay and waits until some are confirmed: up to 100 are published before the first confirm arrives. */
  const started = async (href = url.href): Promise<ChildProcess> => {
    const child = spawn(process.execPath, warrenArguments(['dead-letters', 'replay', '--all']), {
      env: warrenEnvironment({ AMQP_URL: href }),
      stdio: 'pipe',
    });
    const said: Buffer[] = [];
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
    const ended = once(child, 'close').then(() => {
      throw new Error(`the replay has ended: ${Buffer.concat(said)}`);
    });
    const begun = expect.poll(() => count(shop), { timeout: 100_000, interval: 5 }).toBeGreaterThan(150);
    await Promise.race([begun, ended]);
    ended.catch(() => undefined);
    return child;
  };
  /** The command was interrupted: no message is lost, and at most the 100 in flight exist twice. */
  const expectWhole = async () => {
    // What the dead process had in hand comes back when the broker sees it is gone.
    const total = async () => (await count(shop)) + (await count(deadLetters));
    await expect.poll(total, { timeout: 120_000 }).toBeGreaterThanOrEqual(many);
    const [back, left] = [await ids(shop), await ids(deadLetters)];
    expect(left.length).toBeGreaterThan(0);
    expect(back.length).toBeGreaterThan(150);
    expect(new Set([...back, ...left]).size).toBe(many);
    expect(back.length + left.length).toBeLessThanOrEqual(many + 100);
  };

  it('replay: a killed command loses no message and duplicates at most the 100 in flight', async () => {
    await fill(many);
    const child = await started();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expectWhole();
  });

  it('replay: cut connections lose no message, duplicate at most the 100 in flight, and the progress is reported', async () => {
    await fill(many);
    const proxy = await openProxy(url);
    const child = await started(proxy.url);
    const said: Buffer[] = [];
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
    const exited = once(child, 'close');
    proxy.cut();
    expect(await exited).toEqual([1, null]);
    expect(Buffer.concat(said).toString()).toMatch(
      // On a slow machine, progress was printed before.
      /^((looked at|read) [^\n]+\n)*warren: [^\n]+; put back \d+ before that, the rest is still there\n$/,
    );
    await proxy.close();
    await expectWhole();
  });

  it.each([
    { args: [], most: 100 },
    { args: ['--one-at-a-time'], most: 1 },
  ])(
    'replay $args: at most $most are doubled if the broker gets none of the acknowledgements',
    async ({ args, most }) => {
      await fill(1000);
      // The replay has no entry to add to the index, which it would wait for.
      await run('list');
      let confirm: () => void = () => undefined;
      const confirmed = new Promise<void>((resolve) => (confirm = resolve));
      const never = new Promise<void>(() => undefined);
      let isHeld = false;
      const proxy = await openProxy(url, {
        confirming: () => confirmed,
        acknowledging: () => (isHeld ? never : Promise.resolve()),
      });
      const child = spawn(process.execPath, warrenArguments(['dead-letters', 'replay', '--all', ...args]), {
        env: warrenEnvironment({ AMQP_URL: proxy.url }),
        stdio: 'ignore',
      });
      await expect.poll(() => count(shop), { timeout: 60_000 }).toBe(most);
      isHeld = true;
      confirm();
      // As long as the replay would need for all others.
      await setTimeout(3000);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await proxy.close();
      await expect.poll(() => count(deadLetters), { timeout: 60_000 }).toBe(1000);
      expect(await count(shop)).toBe(most);
    },
  );
});

describe('warren dead-letters drop', () => {
  it('drop: --yes deletes the selected dead letters', async () => {
    await letter({ id: 'a' });
    await letter({ id: 'b', reason: 'too-old' });
    expect(await json('drop', '--queue', shop, '-r', 'too-old', '--yes')).toMatchObject({
      dropped: 1,
      letters: [{ id: 'b' }],
    });
    expect(await ids(deadLetters)).toEqual(['a']);
  });

  it('drop: an id deletes one dead letter, even if others without a message id have the same body', async () => {
    await letter({ at: '2026-01-01T00:00:00.000Z' });
    await letter({ at: '2026-01-02T00:00:00.000Z' });
    await letter({ at: '2026-01-02T00:00:00.000Z' });
    const { letters } = (await json('list')) as { letters: { id: string; lastFailedAt: string }[] };
    expect(letters).toHaveLength(3);
    expect((await run('drop', String(letters[1]?.id), '--yes')).out).toBe('deleted 1\n');
    const rest = (await json('list')) as { letters: { lastFailedAt: string }[] };
    expect(rest.letters.map(({ lastFailedAt }) => lastFailedAt).sort()).toEqual([
      '2026-01-01T00:00:00.000Z',
      '2026-01-02T00:00:00.000Z',
    ]);
  });

  it('replay, drop: that another command may hold dead letters is reported, and a repetition finds them', async () => {
    await fill(8);
    const other = await connect(url.href);
    const holding = await other.createChannel();
    await holding.prefetch(5);
    await holding.consume(deadLetters, () => undefined);
    await expect.poll(() => count(deadLetters)).toBe(3);
    const held = 'warren: another command may hold dead letters';
    const dropped = await run('drop', 'm0', '--yes');
    expect([dropped.code, dropped.err]).toEqual([1, expect.stringContaining(held)]);
    const replayed = await run('replay', '--queue', shop);
    expect([replayed.out, replayed.err]).toEqual(['put back 3\n', expect.stringContaining(held)]);
    await other.close();
    expect(await run('drop', 'm0', '--yes')).toMatchObject({ code: 0, out: 'deleted 1\n' });
    expect((await run('replay', '--queue', shop)).err).not.toContain('another command');
    expect(await count(shop)).toBe(7);
  });

  it('drop: without a terminal and --yes nothing is deleted, and the selection is printed', async () => {
    await letter({ id: 'a' });
    const { code, out, err } = await run('drop', '--all');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/would delete 1; add --yes to do it\n.*shop +│ rejected +│ 1 /s);
    expect(await count(deadLetters)).toBe(1);
  });
});

describe('warren dead-letters of several virtual hosts', () => {
  let other: LetterVhost;
  let folder: string;
  let manifest: string;

  beforeAll(async () => {
    other = await openLetterVhost([shop, bank]);
    folder = await mkdtemp(join(tmpdir(), 'warren-vhosts-'));
    manifest = join(folder, 'warren.json');
    const fed = (event: object) => ({
      handler: 'f.handler',
      events: [{ rabbitmq: { queue: shop, ...event } }],
    });
    const functions = { here: fed({}), there: fed({ virtualHost: other.name }) };
    await writeFile(manifest, JSON.stringify({ functions, custom: { warren: section } }));
  });
  beforeEach(async () => {
    await other.empty();
    await letter({ id: 'a', at: '2026-01-02T00:00:00.000Z' });
    await letter({ id: 'b', at: '2026-01-01T00:00:00.000Z' }, other.channel);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await other.close();
  });

  it('list, show: the dead letters of every virtual host of the manifest are found, with their virtual host', async () => {
    expect(await json('list', '--manifest', manifest)).toMatchObject({
      total: 2,
      groups: [
        { queue: shop, count: 1, vhost: vhost.name },
        { queue: shop, count: 1, vhost: other.name },
      ],
      letters: [
        { id: 'b', vhost: other.name },
        { id: 'a', vhost: vhost.name },
      ],
    });
    expect((await run('list', '--manifest', manifest)).out).toMatch(new RegExp(`│ b .* │ ${other.name} │`));
    expect(await json('show', 'b', '--manifest', manifest)).toMatchObject({ id: 'b', vhost: other.name });
    await letter({ id: 'a' }, other.channel);
    expect((await run('show', 'a', '--manifest', manifest)).err).toContain(
      `1 more with this id, from "shop" in virtual host "${other.name}": name one with --queue and --vhost`,
    );
  });

  it('--vhost: only the dead letters of this virtual host are listed, shown, replayed and dropped', async () => {
    expect(await json('list')).toMatchObject({ total: 1, letters: [{ id: 'a' }] });
    const args = ['--manifest', manifest, '--vhost', other.name];
    expect(await json('list', ...args)).toMatchObject({ total: 1, letters: [{ id: 'b' }] });
    expect((await run('show', 'a', ...args)).err).toContain('no dead letter with id "a"');
    expect((await run('replay', '--all', ...args)).out).toBe('put back 1\n');
    expect([await other.count(shop), await count(shop), await count(deadLetters)]).toEqual([1, 0, 1]);
    await letter({ id: 'c' }, other.channel);
    expect((await run('drop', '--all', '--yes', ...args)).out).toBe('deleted 1\n');
    expect([await other.count(deadLetters), await count(deadLetters)]).toEqual([0, 1]);
  });

  it('summary, reindex: each virtual host has its own index, and warnings name the virtual host', async () => {
    expect(await json('summary', '--manifest', manifest)).toMatchObject([
      { queue: shop, count: 1, vhost: vhost.name },
      { queue: shop, count: 1, vhost: other.name },
    ]);
    await other.channel.get(deadLetters, { noAck: true });
    const warning = `virtual host "${other.name}": the queue has 0 dead letters, the index 1`;
    expect((await run('list', '--manifest', manifest)).err).toContain(warning);
    expect(await json('reindex', '--manifest', manifest)).toMatchObject({
      total: 1,
      vhosts: [
        { vhost: vhost.name, total: 1, added: 0 },
        { vhost: other.name, total: 0, added: 0 },
      ],
    });
    expect(await run('list', '--manifest', manifest)).toMatchObject({ code: 0, err: '' });
  });

  it('list: --page lists the index of one virtual host, which must be named if there are several', async () => {
    const { code, err } = await run('list', '--page', '--manifest', manifest);
    expect([code, err]).toEqual([
      1,
      `warren: --page: expected --vhost with one of "${vhost.name}", "${other.name}", got none\n`,
    ]);
    expect(await json('list', '--page', '--manifest', manifest, '--vhost', other.name)).toMatchObject({
      letters: [{ id: 'b', vhost: other.name }],
    });
  });

  it('replay: the dead letters of several virtual hosts return each in its own, and --limit counts all of them', async () => {
    await letter({ id: 'c' }, other.channel);
    expect((await run('replay', '--all', '--manifest', manifest, '--limit', '2')).out).toBe('put back 2\n');
    expect((await run('replay', '--all', '--manifest', manifest)).out).toBe('put back 1\n');
    expect(await ids(shop)).toEqual(['a']);
    expect([await other.count(shop), await other.count(deadLetters)]).toEqual([2, 0]);
  });

  it('drop: the question counts all virtual hosts, and a virtual host that cannot be read is named', async () => {
    expect((await run('drop', '--all', '--manifest', manifest)).err).toContain('would delete 2;');
    expect((await run('drop', 'a', 'b', '--yes', '--manifest', manifest)).out).toBe('deleted 2\n');
    expect((await run('list', '--vhost', 'no-such-vhost')).err).toContain('/no-such-vhost');
    for (const queue of [deadLetters, deadLetterNews, deadLetterLog]) await other.channel.deleteQueue(queue);
    const { err } = await run('list', '--manifest', manifest);
    expect(err).toContain(`virtual host "${other.name}": queue "warren.dead-letters" can't be read`);
    expect(err).toContain(`done before in "${vhost.name}"`);
  });
});
