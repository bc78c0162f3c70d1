import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { dropDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { indexFile } from '../../../runtime/dead-letters/index-file.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import {
  deadLetterLog,
  deadLetterMarks,
  deadLetterNews,
  deadLetters,
} from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { type GivenDeadLetter, publishAllDead } from '../../support/dead-letters.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const section = { deadLetterIndex: true, queues: { shop: {}, bank: {} } };
const streams = [deadLetterLog, deadLetterMarks, deadLetterNews];
let vhost: TestVhost;
let folder: string;
let file: string;
const opened: DeadLetterIndex[] = [];

beforeAll(async () => {
  vhost = await openVhost(section);
  folder = await mkdtemp(join(tmpdir(), 'warren-index-'));
  file = indexFile(folder, vhost.url);
});
beforeEach(async () => {
  await rm(file, { force: true });
  await declareAnew();
});
afterEach(async () => {
  for (const index of opened.splice(0)) await index.close();
});
afterAll(async () => {
  await vhost?.close();
  await rm(folder, { recursive: true });
});

async function declareAnew(): Promise<void> {
  for (const queue of ['shop', 'bank', deadLetters]) await vhost.channel.purgeQueue(queue);
  for (const stream of streams) await vhost.channel.deleteQueue(stream);
  await applyTopology(vhost.url, compileTopology(readSection(section)));
}
const dead = (...given: GivenDeadLetter[]) => publishAllDead(vhost.channel, given);
const many = (count: number, part: GivenDeadLetter = {}) =>
  dead(...Array.from({ length: count }, (_, n) => ({ id: `m${n}`, ...part })));
const open = (of?: string) => {
  const index = new DeadLetterIndex(vhost.url, { file: of });
  opened.push(index);
  return index;
};
/** Updates an index, and returns the number of entries that it read. */
const update = async (index: DeadLetterIndex): Promise<number> => {
  let read = 0;
  await index.update((entries) => {
    read = entries;
  });
  return read;
};
const idsOf = (index: DeadLetterIndex) => index.page({}, {}).map(({ id }) => id);

describe('DeadLetterIndex', () => {
  it('index in memory: counts, pages and whole dead letters are read without a delivery', async () => {
    await many(300);
    const stack = 'TypeError: x\n    at node:fs:1:1\n    at price (/srv/price.ts:1:2)';
    await dead({ queue: 'bank', id: 'b', error: stack, at: '2026-01-02T00:00:00.000Z', body: 'hello' });
    const index = open();
    await index.update();
    expect(index.size).toBe(301);
    expect(index.groups()).toMatchObject([
      { queue: 'shop', reason: 'rejected', error: 'Error: no', place: undefined, count: 300 },
      { queue: 'bank', error: 'TypeError: x', place: 'price (/srv/price.ts:1:2)', count: 1 },
    ]);
    const page = index.page({ queue: 'shop' }, { limit: 3, newestFirst: true });
    expect(page.map(({ id }) => id)).toEqual(['m299', 'm298', 'm297']);
    const rest = index.page({}, { after: page[0]?.offset, limit: 10 });
    expect(rest).toMatchObject([{ id: 'b', bytes: 5, failedAt: Date.parse('2026-01-02') }]);
    const sparse = index.page({ id: ['m1', 'm150', 'm298', 'b'] }, { limit: 10 });
    expect((await index.read(sparse)).map(({ letter }) => [letter.id, letter.body])).toEqual([
      ['m1', '{"a":1}'],
      ['m150', '{"a":1}'],
      ['m298', '{"a":1}'],
      ['b', 'hello'],
    ]);
    const message = await vhost.take(deadLetters);
    expect(message.fields).toMatchObject({ redelivered: false, messageCount: 300 });
  });

  it('index in memory: an update adds what is new and removes what was replayed or dropped', async () => {
    await many(5);
    const index = open();
    expect(await update(index)).toBe(5);
    await replayDeadLetters(vhost.url, { id: 'm0' });
    await dropDeadLetters(vhost.url, { id: 'm3' });
    await dead({ id: 'n' });
    expect(await update(index)).toBe(1);
    expect(idsOf(index)).toEqual(['m1', 'm2', 'm4', 'n']);
    expect(await update(index)).toBe(0);
    await dropDeadLetters(vhost.url);
    await update(index);
    expect([index.size, index.groups()]).toEqual([0, []]);
  });

  it('index in memory: after a restart of its streams it begins anew', async () => {
    await many(5);
    const index = open();
    await index.update();
    await declareAnew();
    await dead({ id: 'x' });
    await index.update();
    expect(idsOf(index)).toEqual(['x']);
  });

  it('index in memory: dead letters that the stream has forgotten leave it', async () => {
    await vhost.channel.deleteQueue(deadLetterLog);
    const small = { 'x-queue-type': 'stream', 'x-max-length-bytes': 200_000 };
    const args = { ...small, 'x-stream-max-segment-size-bytes': 100_000 };
    await vhost.channel.assertQueue(deadLetterLog, { durable: true, arguments: args });
    const index = open();
    await many(100, { body: 'x'.repeat(1000) });
    await index.update();
    const [oldest] = index.page({}, { limit: 1 });
    await expect
      .poll(
        async () => {
          await many(100, { body: 'x'.repeat(1000) });
          await index.update();
          return index.page({}, { limit: 1 })[0]?.offset;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(oldest?.offset ?? 0);
    expect(await index.read(oldest ? [oldest] : [])).toEqual([]);
  });

  it('search: a text is found in the id, the error, the headers and the body', async () => {
    await many(50);
    await dead({ id: 'needle' }, { id: 'e', error: 'Error: needle' }, { id: 'b', body: '{"n":"needle"}' });
    await dead({ id: 'h', headers: { tenant: 'the needle' } }, { id: 'gone', body: 'needle' });
    await dropDeadLetters(vhost.url, { id: 'gone' });
    const index = open();
    await index.update();
    const found: string[] = [];
    for await (const { letter } of index.search('needle')) found.push(letter.id);
    expect(found).toEqual(['needle', 'e', 'b', 'h']);
  });
});

describe('the file of a DeadLetterIndex', () => {
  it('index file: the next process reads only what is new, and only its user may read the file', async () => {
    await many(2500);
    const first = open(file);
    expect(await update(first)).toBe(2500);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await replayDeadLetters(vhost.url, { id: ['m0', 'm2499'] });
    await dead({ id: 'n' });
    const second = open(file);
    expect(await update(second)).toBe(1);
    expect([second.size, second.groups()[0]?.count]).toEqual([2499, 2499]);
    expect((await second.read(second.page({ id: 'm2000' }, {})))[0]?.letter).toMatchObject({
      body: '{"a":1}',
    });
    expect(await update(open(file))).toBe(0);
    expect(await readdir(folder)).toHaveLength(1);
    expect(await readFile(file, 'utf8')).not.toContain('"a\\":1');
  });

  it('index file: it is not used for streams that were deleted and declared again', async () => {
    await many(2500);
    await open(file).update();
    await declareAnew();
    await dead({ id: 'x' });
    const index = open(file);
    expect(await update(index)).toBe(1);
    expect(idsOf(index)).toEqual(['x']);
    await many(2600, { at: '2026-02-02T00:00:00.000Z' });
    const later = open(file);
    expect(await update(later)).toBe(2601);
    expect(later.size).toBe(2601);
  });
});
