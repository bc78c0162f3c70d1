import { setTimeout as sleep } from 'node:timers/promises';
import type { Options } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { headerBytes } from '../../../runtime/amqp/header-size.ts';
import { completeDeadLetterIndex } from '../../../runtime/dead-letters/complete-index.ts';
import type { DeadLetter } from '../../../runtime/dead-letters/dead-letter.ts';
import { dropDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { deadLetterEntries, NoDeadLetterIndexError } from '../../../runtime/dead-letters/entries.ts';
import type { DeadLetterFilter } from '../../../runtime/dead-letters/filter.ts';
import { indexOlderDeadLetters, reindexDeadLetters } from '../../../runtime/dead-letters/reindex.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { summarizeDeadLetters } from '../../../runtime/dead-letters/summary.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { declareDeadLetterIndex } from '../../../runtime/topology/dead-letter-index.ts';
import {
  deadExchange,
  deadLetterLog,
  deadLetterMarks,
  deadLetterNews,
  deadLetters,
} from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { management, unique } from '../../support/broker.ts';
import { type GivenDeadLetter, publishDead } from '../../support/dead-letters.ts';
import { type LetterVhost, openLetterVhost } from '../../support/letter-vhost.ts';
import { openProxy } from '../../support/proxy.ts';

const shop = 'shop';
let vhost: LetterVhost;
let url: string;
let channel: LetterVhost['channel'];

beforeAll(async () => {
  vhost = await openLetterVhost([shop]);
  ({ url, channel } = vhost);
});
beforeEach(() => vhost.empty());
afterAll(() => vhost?.close());

const publish = (given: GivenDeadLetter) => publishDead(channel, { queue: shop, ...given });
const dead = async (...given: GivenDeadLetter[]) => {
  for (const each of given) publish(each);
  await channel.waitForConfirms();
};
/** Makes the broker dead-letter a message by itself. */
const refuse = async (body: string, headers: Record<string, unknown> = {}) => {
  channel.sendToQueue(shop, Buffer.from(body), { persistent: true, headers });
  await channel.waitForConfirms();
  const message = await channel.get(shop);
  if (!message) throw new Error('no message');
  channel.reject(message, false);
  await expect.poll(() => count(deadLetters)).toBeGreaterThan(0);
};
/** Waits until the copy of the first dead letter is there, which the broker writes on its own. */
const copied = () => expect.poll(() => count(deadLetterNews)).toBeGreaterThan(0);
const count = async (queue: string) => (await channel.checkQueue(queue)).messageCount;
const letters = async (filter: DeadLetterFilter & { after?: number } = {}): Promise<DeadLetter[]> => {
  const found: DeadLetter[] = [];
  for await (const { letter } of deadLetterEntries(url, filter)) found.push(letter);
  return found;
};
const fillThrough = async (href: string) => {
  for await (const _ of deadLetterEntries(href)) return;
};
const idsIn = async (filter: DeadLetterFilter = {}) => (await letters(filter)).map(({ id }) => id);

describe('deadLetterEntries', () => {
  it('index: reading it takes no dead letter and changes no delivery count', async () => {
    await dead({ id: 'a' }, { id: 'b' });
    for (let n = 0; n < 5; n += 1) expect(await idsIn()).toEqual(['a', 'b']);
    await summarizeDeadLetters(url);
    expect(await count(deadLetters)).toBe(2);
    const message = await channel.get(deadLetters);
    if (!message) throw new Error('no dead letter');
    expect(message.fields.redelivered).toBe(false);
    expect(message.properties.headers?.['x-delivery-count'] ?? 0).toBe(0);
    expect(message.properties.headers?.['x-acquired-count'] ?? 0).toBe(0);
    channel.ack(message);
  });

  it('index: an entry is the whole dead letter, and selections are by queue, reason, error and id', async () => {
    await dead({ id: 'a' }, { id: 'b', reason: 'too-old', error: 'TypeError: x is not\n  at y' });
    expect((await letters({ id: 'a' }))[0]).toMatchObject({
      id: 'a',
      queue: shop,
      reason: 'rejected',
      error: 'Error: no',
      attempts: 3,
      lastFailedAt: '2026-01-01T00:00:00.000Z',
      body: '{"a":1}',
    });
    expect((await letters({ id: 'a' }))[0]?.headers).not.toHaveProperty('x-stream-offset');
    expect(await idsIn({ error: 'x is not' })).toEqual(['b']);
    expect(await idsIn({ error: 'at y' })).toEqual([]);
    expect(await idsIn({ reason: 'rejected' })).toEqual(['a']);
    expect(await idsIn({ queue: 'other' })).toEqual([]);
  });

  it('index: a replayed and a dropped dead letter leave it', async () => {
    await dead({ id: 'a' }, { id: 'b' }, { id: 'c' });
    await replayDeadLetters(url, { id: 'a' });
    expect(await idsIn()).toEqual(['b', 'c']);
    await dropDeadLetters(url, { id: 'c' });
    expect(await idsIn()).toEqual(['b']);
    await replayDeadLetters(url);
    expect(await idsIn()).toEqual([]);
    await dead({ id: 'd' });
    expect(await idsIn()).toEqual(['d']);
  });

  it('index: a replay by id ends when it has found it, so that later dead letters are not delivered', async () => {
    await dead(...Array.from({ length: 1200 }, (_, n) => ({ id: `m${n}` })));
    expect((await replayDeadLetters(url, { id: 'm2' })).replayed).toHaveLength(1);
    expect(await count(deadLetters)).toBe(1199);
    const redelivered: boolean[] = [];
    const own = await vhost.model.createChannel();
    await own.prefetch(2000);
    await own.consume(deadLetters, (message) => message && redelivered.push(message.fields.redelivered));
    await vi.waitUntil(() => redelivered.length === 1199, { timeout: 20_000 });
    await own.close();
    expect(redelivered.filter((each) => !each).length).toBeGreaterThanOrEqual(1200 - 600);
  });

  it('index: a dead letter of the broker without an id is found in the queue by the id of its entry', async () => {
    await refuse('one', { list: [1, 'a'], table: { x: 1 } });
    await copied();
    const [entry] = await letters();
    expect(entry).toMatchObject({ queue: shop, reason: 'rejected', body: 'one' });
    const dropped = await dropDeadLetters(url, { id: entry?.id });
    expect(dropped).toEqual([{ id: entry?.id, queue: shop, reason: 'rejected' }]);
    expect(await idsIn()).toEqual([]);
  });

  it('index: a replay finds out which dead letters are gone, and they leave the index', async () => {
    await dead({ id: 'a' }, { id: 'b', reason: 'too-old' }, { id: 'c' });
    await channel.get(deadLetters, { noAck: true });
    expect(await idsIn()).toEqual(['a', 'b', 'c']);
    expect((await replayDeadLetters(url, { id: 'a' })).replayed).toEqual([]);
    expect(await idsIn()).toEqual(['b', 'c']);
    await channel.purgeQueue(deadLetters);
    await dropDeadLetters(url, { reason: 'rejected' });
    expect(await idsIn()).toEqual([]);
  });

  it('index: the summary counts by queue, reason and first line of the error, with the first and the last', async () => {
    const [early, late] = ['2026-01-01T00:00:00.000Z', '2026-01-03T00:00:00.000Z'];
    await dead({ at: late, error: 'Error: a\n  at 1' }, { at: early, error: 'Error: a\n  at 2' });
    await dead({ error: 'Error: b' });
    const group = { queue: shop, reason: 'rejected' };
    expect(await summarizeDeadLetters(url)).toEqual([
      { ...group, error: 'Error: a', count: 2, firstSeen: early, lastSeen: late },
      { ...group, error: 'Error: b', count: 1, firstSeen: early, lastSeen: early },
    ]);
  });
});

describe('a dead letter with a header of the type decimal', () => {
  // A stream at the exchange closed the connection of its publisher (541), and was given a broker's dead letter again and again.
  const price = { '!': 'decimal', value: { digits: 314, places: 2 } };

  it('index: the connection of its publisher stays, and the entry has a number', async () => {
    const headers = { 'x-warren-queue': shop, 'x-warren-reason': 'rejected', price, list: [{ price }] };
    channel.publish(deadExchange, shop, Buffer.from('1'), { headers, messageId: 'a', persistent: true });
    await dead({ id: 'b' });
    const [entry, other] = await letters();
    expect([entry?.headers['price'], other?.id]).toEqual([3.14, 'b']);
    expect(await count(deadLetters)).toBe(2);
  });

  it('index: the broker dead-letters it once, and the next message of its queue after it', async () => {
    await refuse('decimal', { price });
    await refuse('plain');
    await expect.poll(() => count(deadLetterNews)).toBe(2);
    expect((await letters()).map(({ body }) => body)).toEqual(['decimal', 'plain']);
    expect(await count(deadLetters)).toBe(2);
    const { replayed } = await replayDeadLetters(url);
    expect(replayed).toHaveLength(2);
    expect(await channel.get(shop, { noAck: true })).toMatchObject({ properties: { headers: { price } } });
    expect(await idsIn()).toEqual([]);
  });

  it('index: a stream that an earlier version bound to the exchange is unbound', async () => {
    await channel.bindQueue(deadLetterLog, deadExchange, '#');
    await vhost.apply();
    await dead({ id: 'a' });
    expect(await idsIn()).toEqual(['a']);
  });
});

describe('filling the index', () => {
  it('index: commands at the same time and one that ends early lose no entry, and each is there once', async () => {
    const ids = Array.from({ length: 1500 }, (_, n) => ({ id: `m${n}` }));
    await dead(...ids);
    await Promise.all([idsIn(), idsIn(), idsIn()]);
    expect((await idsIn()).sort()).toEqual(ids.map(({ id }) => id).sort());
    expect(await count(deadLetterNews)).toBe(0);
  });

  it('index: a command that begins while dead letters keep arriving ends, and leaves the later ones to the next', async () => {
    await dead({ id: 'first' });
    let isReading = true;
    const arriving = (async () => {
      for (let n = 0; isReading; n += 1) {
        await dead({ id: `later${n}` });
      }
    })();
    const ids = await idsIn();
    isReading = false;
    await arriving;
    expect(ids).toContain('first');
    expect((await idsIn()).length).toBeGreaterThan(ids.length);
  });

  it('index: a connection that is lost while the index is filled loses no entry and writes none twice', async () => {
    const ids = Array.from({ length: 3000 }, (_, n) => ({ id: `m${n}` }));
    await dead(...ids);
    const proxy = await openProxy(new URL(url));
    const filling = fillThrough(proxy.url);
    await expect.poll(() => count(deadLetterNews), { interval: 5 }).toBeLessThan(3000);
    proxy.cut();
    await expect(filling).rejects.toThrow();
    await proxy.close();
    const found = await idsIn();
    expect([found.length, new Set(found).size]).toEqual([3000, 3000]);
  });
});

describe('an entry that the broker refuses', () => {
  it('index: it has our headers only, and the entries beside it are there once and whole', async () => {
    // The copy fits into a frame, and the entry, which has a fingerprint as well, does not.
    // RabbitMQ 4.1 and later refuse a client with smaller frames.
    const frameMax = 8192;
    const filler = 'x'.repeat(frameMax - bytesWith({ filler: '' }) - 6);
    const ids = Array.from({ length: 300 }, (_, n) => ({ id: `m${n}`, headers: { tenant: `t${n}` } }));
    await dead(...ids.slice(0, 200), { id: 'big', headers: { filler } }, ...ids.slice(200));
    await fillThrough(`${url}?frame_max=${frameMax}`);
    const found = await letters();
    expect(found.map(({ id }) => id).sort()).toEqual([...ids.map(({ id }) => id), 'big'].sort());
    const big = found.find(({ id }) => id === 'big');
    expect(big?.headers['x-warren-headers-left']).toContain('filler');
    const whole = found.filter(({ id, headers }) => headers['tenant'] === `t${id.slice(1)}`);
    expect(whole).toHaveLength(300);
  });

  /** Bytes of the frame with the properties of the dead letter `big` (AMQP 0-9-1, 4.2.6.1), at most. */
  const bytesWith = (headers: Record<string, unknown>): number => {
    let all: Record<string, unknown> = {};
    const publish = (_exchange: string, _key: string, _body: Buffer, options: Options.Publish = {}) => {
      all = options.headers ?? {};
      return true;
    };
    publishDead({ publish }, { queue: shop, id: 'big', headers });
    const table = Object.entries(all).reduce((sum, [name, value]) => sum + headerBytes(name, value), 4);
    // Class, weight, size of the body, flags, delivery mode and message id.
    return 14 + table + 1 + 4;
  };
});

describe('entries whose confirms are late', () => {
  /** Above the 2.2 s after which other publishers try again. */
  const lateMs = 4000;
  const withLateConfirms = async (use: (href: string) => Promise<void>) => {
    let held: Promise<void> | undefined;
    const proxy = await openProxy(new URL(url), { confirming: () => (held ??= sleep(lateMs)) });
    await use(proxy.url);
    expect(held).toBeDefined();
    await proxy.close();
  };
  const ids = Array.from({ length: 1200 }, (_, n) => ({ id: `m${n}` }));

  it('index: it is filled once if the confirms of the entries are late', async () => {
    await dead(...ids);
    await withLateConfirms(fillThrough);
    await withLateConfirms(async (href) => void (await summarizeDeadLetters(href)));
    expect((await idsIn()).sort()).toEqual(ids.map(({ id }) => id).sort());
  });

  it('reindex: it adds each entry once if the confirms are late', async () => {
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    await dead(...ids);
    await vhost.apply();
    await withLateConfirms(async (href) => {
      expect(await reindexDeadLetters(href)).toEqual({ total: 1200, added: 1200, failed: [] });
    });
    expect((await idsIn()).sort()).toEqual(ids.map(({ id }) => id).sort());
  });
});

describe('reindexDeadLetters', () => {
  it('reindex: dead letters that are older than the index get an entry, and gone ones are marked', async () => {
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    await dead({ id: 'old' }, { body: 'without an id' });
    await refuse('of the broker');
    await vhost.apply();
    await dead({ id: 'new' }, { id: 'gone' });
    const taken = async () => (await channel.checkQueue(deadLetters)).messageCount;
    expect(await taken()).toBe(5);
    await dropUnmarked('gone');
    expect(await idsIn()).toEqual(['new', 'gone']);
    // The index is not new: it has the entries of later dead letters.
    expect(await indexOlderDeadLetters(url, { isEmpty: false })).toBe(undefined);
    expect(await reindexDeadLetters(url)).toEqual({ total: 4, added: 3, failed: [] });
    const found = await letters();
    expect(found.map(({ body }) => body).sort()).toEqual(
      ['{"a":1}', '{"a":1}', 'of the broker', 'without an id'].sort(),
    );
    expect(found.find(({ body }) => body === 'of the broker')).toMatchObject({
      queue: shop,
      reason: 'rejected',
    });
    expect(await reindexDeadLetters(url)).toEqual({ total: 4, added: 0, failed: [] });
    const [nameless] = found.filter(({ body }) => body === 'without an id');
    expect(await dropDeadLetters(url, { id: nameless?.id })).toHaveLength(1);
    expect(await count(deadLetters)).toBe(3);
    expect(await letters()).toHaveLength(3);
  });

  it('reindex: a topology that is applied for the first time with an index gets the dead letters that are there', async () => {
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    await dead({ id: 'a' }, { id: 'b' });
    expect(await indexOlderDeadLetters(url, await vhost.apply())).toEqual({ total: 2, added: 2, failed: [] });
    expect(await idsIn()).toEqual(['a', 'b']);
    expect(await indexOlderDeadLetters(url, await vhost.apply())).toBe(undefined);
  });

  it('index: a login that may not read dead letters completes no index and reports it, and another login adds them', async () => {
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    await dead({ id: 'a' });
    const index = await vhost.apply();
    const name = unique('reader');
    await management('PUT', `/users/${name}`, { password: name, tags: '' });
    const own = Object.assign(new URL(url), { username: name, password: name }).href;
    for (const read of ['^$', '^warren\\.dead-letters\\..*$']) {
      await management('PUT', `/permissions/${vhost.name}/${name}`, { configure: '', write: '.*', read });
      expect(await completeDeadLetterIndex(own, index)).toEqual({
        added: 0,
        problems: [expect.stringContaining('run warren dead-letters reindex')],
      });
    }
    expect(await completeDeadLetterIndex(url, index)).toEqual({ added: 1, problems: [] });
    expect(await idsIn()).toEqual(['a']);
    await management('DELETE', `/users/${name}`);
  });

  it('reindex: a dead letter with more headers than our client can send has an entry without them', async () => {
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    await dead({ id: 'a' });
    // amqplib cannot publish more than 64 KiB of headers; the management API can.
    await management('POST', `/exchanges/${vhost.name}/${deadExchange}/publish`, {
      routing_key: shop,
      payload: '1',
      payload_encoding: 'string',
      properties: { message_id: 'b', headers: { 'x-warren-queue': shop, long: 'x'.repeat(100_000) } },
    });
    await dead({ id: 'c' });
    const index = await vhost.apply();
    expect(await indexOlderDeadLetters(url, index)).toEqual({ total: 3, added: 3, failed: [] });
    expect((await idsIn()).sort()).toEqual(['a', 'b', 'c']);
    const [entry] = await letters({ id: 'b' });
    expect(entry?.headers['x-warren-headers-left']).toContain('long');
    expect(entry?.headers).not.toHaveProperty('long');
    expect(await count(deadLetters)).toBe(3);
  });

  /** Takes a dead letter as another tool would, which leaves no mark. */
  const dropUnmarked = async (id: string) => {
    const own = await vhost.model.createChannel();
    for (;;) {
      const message = await own.get(deadLetters);
      if (!message) throw new Error(`no dead letter ${id}`);
      if (message.properties.messageId !== id) continue;
      own.ack(message);
      await own.close();
      return;
    }
  };
});

describe('a broker without the index', () => {
  it('index: if the broker refuses the streams, the topology is applied without them, and replay works', async () => {
    const name = unique('no-streams');
    await management('PUT', `/users/${name}`, { password: name, tags: '' });
    const rights = { configure: '^(?!warren\\.dead-letters\\.).*$', write: '.*', read: '.*' };
    await management('PUT', `/permissions/${vhost.name}/${name}`, rights);
    const own = Object.assign(new URL(url), { username: name, password: name }).href;
    for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
    const applied = await applyTopology(
      own,
      compileTopology(readSection({ deadLetterIndex: true, queues: { [shop]: {} } })),
    );
    expect(applied?.refusal).toContain('ACCESS_REFUSED');
    await expect(letters()).rejects.toBeInstanceOf(NoDeadLetterIndexError);
    await dead({ id: 'a' }, { id: 'b' });
    expect((await replayDeadLetters(own, { id: 'a' })).replayed).toHaveLength(1);
    expect(await dropDeadLetters(own, { id: 'b' })).toHaveLength(1);
    await management('DELETE', `/users/${name}`);
  });
});

describe('Amazon MQ', () => {
  it.each([
    'amqps://user:x@b-1a2b.mq.eu-west-1.amazonaws.com:5671',
    'amqps://user:x@b-1a2b.mq.cn-north-1.amazonaws.com.cn:5671',
    'amqps://user:x@b-1a2b.mq.us-east-1.on.aws:5671/orders',
  ])(
    'index: no stream is declared at %s, because it supports none, and the reason is reported',
    async (href) => {
      const index = await declareDeadLetterIndex(href);
      expect(index).toEqual({ refusal: 'Amazon MQ does not support streams', isEmpty: false });
      const { problems } = await completeDeadLetterIndex(href, index);
      expect(problems).toEqual([expect.stringContaining('Amazon MQ does not support streams')]);
    },
  );
});

describe('many dead letters', () => {
  /** `DEAD_LETTERS=100000` measures the numbers of docs/dead-letters.md. */
  const many = Number(process.env['DEAD_LETTERS'] ?? 20_000);
  const timed = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await run();
    if (many !== 20_000) console.info(`${what}: ${((performance.now() - begun) / 1000).toFixed(2)} s`);
    return result;
  };
  const page = async (after: number) => {
    const begun = performance.now();
    const found: number[] = [];
    for await (const { offset } of deadLetterEntries(url, { after })) {
      found.push(offset);
      if (found.length === 100) break;
    }
    return { length: found.length, ms: performance.now() - begun };
  };

  it('index: the first page moves few copies, memory stays flat, a page far behind takes a part of the time of all, and a replay moves all', async () => {
    for (let n = 0; n < many; n += 1) {
      publish({ id: `m${n}`, error: `Error: kind ${n % 5}`, body: 'x'.repeat(500) });
      if (n % 2000 === 1999) await channel.waitForConfirms();
    }
    const before = process.memoryUsage.rss();
    expect((await timed('first page', () => page(0))).length).toBe(100);
    // 500, and those that the broker had sent ahead.
    expect(await count(deadLetterNews)).toBeGreaterThan(many - 2000);
    const kinds = await timed('summary that moves all copies', () => summarizeDeadLetters(url));
    expect(kinds.map((each) => each.count)).toEqual(Array.from({ length: 5 }, () => many / 5));
    expect(await count(deadLetterNews)).toBe(0);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
    const begun = performance.now();
    await timed('summary', () => summarizeDeadLetters(url));
    const wholeMs = performance.now() - begun;
    for (const after of [0, many / 2, many - 1000]) {
      const { length, ms } = await timed(`page after ${after}`, () => page(after));
      expect(length).toBe(100);
      expect(ms).toBeLessThan(wholeMs);
    }
    expect(await timed('show', () => letters({ id: `m${many - 5}` }))).toHaveLength(1);
    const { replayed } = await timed('replay', () => replayDeadLetters(url));
    expect(replayed).toHaveLength(many);
    expect(await count(shop)).toBe(many);
    expect(await idsIn()).toEqual([]);
    expect((await page(0)).length).toBe(0);
  }, 600_000);
});
