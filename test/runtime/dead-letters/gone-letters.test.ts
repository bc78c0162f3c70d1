import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dropDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { deadLetterEntries, NoDeadLetterIndexError } from '../../../runtime/dead-letters/entries.ts';
import { goneLetters } from '../../../runtime/dead-letters/gone-letters.ts';
import { reindexDeadLetters } from '../../../runtime/dead-letters/reindex.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { deadLetterMarks, deadLetters } from '../../../runtime/topology/names.ts';
import { publishDead } from '../../support/dead-letters.ts';
import { type LetterVhost, openLetterVhost } from '../../support/letter-vhost.ts';

let vhost: LetterVhost;
let url: string;
let channel: LetterVhost['channel'];

beforeAll(async () => {
  vhost = await openLetterVhost(['shop']);
  ({ url, channel } = vhost);
});
beforeEach(() => vhost.empty());
afterAll(() => vhost?.close());

const dead = async (...ids: string[]) => {
  for (const id of ids) publishDead(channel, { queue: 'shop', id });
  await channel.waitForConfirms();
};
const endings = async (limit = 50) =>
  (await goneLetters(url, limit)).map(({ letter, ending }) => [letter.id, ending]);

describe('goneLetters', () => {
  it('gone: a replayed and a dropped dead letter are listed with what was done and when, the latest first', async () => {
    await dead('a', 'b', 'c');
    const before = Math.floor(Date.now() / 1000) * 1000;
    await replayDeadLetters(url, { id: 'b' });
    await dropDeadLetters(url, { id: 'a' });
    expect(await endings()).toEqual([
      ['a', 'dropped'],
      ['b', 'replayed'],
    ]);
    expect(await endings(1)).toEqual([['a', 'dropped']]);
    const [{ goneAt = '' } = {}] = await goneLetters(url, 1);
    expect(Date.parse(goneAt)).toBeGreaterThanOrEqual(before);
  });

  it('gone: a mark has the queue of a replay to another one, and the user of a board who did it', async () => {
    await channel.assertQueue('bank', { durable: true });
    await dead('a', 'b');
    await replayDeadLetters(url, { id: 'a' }, { to: 'bank', by: 'ada' });
    await dropDeadLetters(url, { id: 'b' }, 1, undefined, { by: 'ada' });
    expect(await goneLetters(url, 2)).toMatchObject([
      { letter: { id: 'b' }, ending: 'dropped', to: undefined, by: 'ada' },
      { letter: { id: 'a' }, ending: 'replayed', to: 'bank', by: 'ada' },
    ]);
  });

  it('gone: many dead letters of one replay need few marks, and no message for each', async () => {
    const ids = Array.from({ length: 300 }, (_, n) => `m${n}`);
    await dead(...ids);
    await replayDeadLetters(url);
    expect(await endings(2)).toEqual([
      ['m299', 'replayed'],
      ['m298', 'replayed'],
    ]);
    expect(await endings(1000)).toHaveLength(300);
    expect((await readMarksBodies()).length).toBeLessThan(100);
  });

  it('gone: of a dead letter that another tool took, it is unknown what was done', async () => {
    await dead('a', 'b');
    for await (const _ of deadLetterEntries(url)) void _;
    await channel.get(deadLetters, { noAck: true });
    await reindexDeadLetters(url);
    expect(await endings()).toEqual([['a', undefined]]);
  });

  it('gone: without an index, the error states that', async () => {
    await channel.deleteQueue(deadLetterMarks);
    await expect(goneLetters(url, 1)).rejects.toThrow(NoDeadLetterIndexError);
  });
});

/** The bodies of all marks. */
async function readMarksBodies(): Promise<string[]> {
  const own = await vhost.model.createChannel();
  const bodies: string[] = [];
  await own.prefetch(1000);
  await own.consume(deadLetterMarks, (message) => message && bodies.push(String(message.content)), {
    arguments: { 'x-stream-offset': 'first' },
  });
  await expect.poll(() => bodies.some((body) => body.includes('299]'))).toBe(true);
  await own.close();
  return bodies;
}
