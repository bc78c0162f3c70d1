import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dropDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { deadLetterEntries, NoDeadLetterIndexError } from '../../../runtime/dead-letters/entries.ts';
import { goneLetters } from '../../../runtime/dead-letters/gone-letters.ts';
import { reindexDeadLetters } from '../../../runtime/dead-letters/reindex.ts';
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
import { management, unique } from '../../support/broker.ts';
import { publishDead } from '../../support/dead-letters.ts';
import { stack } from '../../support/stack.ts';

/** A virtual host for this file, because other tests also work on the dead letters. */
const vhost = unique('vhost');
const url = new URL(stack.AMQP_URL);
url.pathname = `/${vhost}`;
const apply = () =>
  applyTopology(url.href, compileTopology(readSection({ deadLetterIndex: true, queues: { shop: {} } })));

let model: Awaited<ReturnType<typeof connect>>;
let channel: Awaited<ReturnType<typeof model.createConfirmChannel>>;

beforeAll(async () => {
  await management('PUT', `/vhosts/${vhost}`, {});
  const all = { configure: '.*', write: '.*', read: '.*' };
  await management('PUT', `/permissions/${vhost}/${url.username}`, all);
  await apply();
  model = await connect(url.href, { noDelay: true });
  channel = await model.createConfirmChannel();
});
beforeEach(async () => {
  for (const queue of ['shop', deadLetters]) await channel.purgeQueue(queue);
  for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews]) await channel.deleteQueue(stream);
  await apply();
});
afterAll(async () => {
  await model?.close();
  await management('DELETE', `/vhosts/${vhost}`);
});

const dead = async (...ids: string[]) => {
  for (const id of ids) publishDead(channel, { queue: 'shop', id });
  await channel.waitForConfirms();
};
const endings = async (limit = 50) =>
  (await goneLetters(url.href, limit)).map(({ letter, ending }) => [letter.id, ending]);

describe('goneLetters', () => {
  it('gone: a replayed and a dropped dead letter are listed with what was done and when, the latest first', async () => {
    await dead('a', 'b', 'c');
    const before = Math.floor(Date.now() / 1000) * 1000;
    await replayDeadLetters(url.href, { id: 'b' });
    await dropDeadLetters(url.href, { id: 'a' });
    expect(await endings()).toEqual([
      ['a', 'dropped'],
      ['b', 'replayed'],
    ]);
    expect(await endings(1)).toEqual([['a', 'dropped']]);
    const [{ goneAt = '' } = {}] = await goneLetters(url.href, 1);
    expect(Date.parse(goneAt)).toBeGreaterThanOrEqual(before);
  });

  it('gone: a mark has the queue of a replay to another one, and the user of a board who did it', async () => {
    await channel.assertQueue('bank', { durable: true });
    await dead('a', 'b');
    await replayDeadLetters(url.href, { id: 'a' }, { to: 'bank', by: 'ada' });
    await dropDeadLetters(url.href, { id: 'b' }, 1, undefined, { by: 'ada' });
    expect(await goneLetters(url.href, 2)).toMatchObject([
      { letter: { id: 'b' }, ending: 'dropped', to: undefined, by: 'ada' },
      { letter: { id: 'a' }, ending: 'replayed', to: 'bank', by: 'ada' },
    ]);
  });

  it('gone: many dead letters of one replay need few marks, and no message for each', async () => {
    const ids = Array.from({ length: 300 }, (_, n) => `m${n}`);
    await dead(...ids);
    await replayDeadLetters(url.href);
    expect(await endings(2)).toEqual([
      ['m299', 'replayed'],
      ['m298', 'replayed'],
    ]);
    expect(await endings(1000)).toHaveLength(300);
    expect((await readMarksBodies()).length).toBeLessThan(100);
  });

  it('gone: of a dead letter that another tool took, it is unknown what was done', async () => {
    await dead('a', 'b');
    for await (const _ of deadLetterEntries(url.href)) void _;
    await channel.get(deadLetters, { noAck: true });
    await reindexDeadLetters(url.href);
    expect(await endings()).toEqual([['a', undefined]]);
  });

  it('gone: without an index, the error states that', async () => {
    await channel.deleteQueue(deadLetterMarks);
    await expect(goneLetters(url.href, 1)).rejects.toThrow(NoDeadLetterIndexError);
  });
});

/** The bodies of all marks. */
async function readMarksBodies(): Promise<string[]> {
  const own = await model.createChannel();
  const bodies: string[] = [];
  await own.prefetch(1000);
  await own.consume(deadLetterMarks, (message) => message && bodies.push(String(message.content)), {
    arguments: { 'x-stream-offset': 'first' },
  });
  await expect.poll(() => bodies.some((body) => body.includes('299]'))).toBe(true);
  await own.close();
  return bodies;
}
