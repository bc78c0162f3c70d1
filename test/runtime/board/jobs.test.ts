import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { type Job, Jobs } from '../../../runtime/board/jobs.ts';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { dropDeadLetters, listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { type GivenDeadLetter, publishAllDead } from '../../support/dead-letters.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

let vhost: TestVhost;
let index: DeadLetterIndex;
let jobs: Jobs;

beforeAll(async () => {
  vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {}, bank: {} } });
});
beforeEach(() => {
  index = new DeadLetterIndex(vhost.url);
  jobs = new Jobs({
    url: vhost.url,
    index,
    log: silentLog,
    ended: () => index.update().catch(() => undefined),
  });
  return async () => {
    await jobs.close();
    await index.close();
    await dropDeadLetters(vhost.url);
  };
});
afterAll(() => vhost?.close());

const dead = async (...given: GivenDeadLetter[]) => {
  await publishAllDead(vhost.channel, given);
  await index.update();
};
const ended = async (job: Job) => {
  await expect.poll(() => job.endedAt, { timeout: 60_000 }).toBeDefined();
  return job;
};
const errors = async () => (await listDeadLetters(vhost.url)).map(({ error }) => error);

describe('jobs on dead letters', () => {
  it('job: of two dead letters with the same id, only the selected one is dropped', async () => {
    await dead({ id: 'a', error: 'Error: first' }, { id: 'a', error: 'Error: second' });
    const job = jobs.start({ action: 'drop', filter: { errorIs: 'Error: second' } });
    expect(await ended(job)).toMatchObject({ state: 'done', selected: 1, met: 1, done: 1 });
    expect(await errors()).toEqual(['Error: first']);
  });

  it('job: of two dead letters with the same id, only the selected one is replayed', async () => {
    await dead({ id: 'a', error: 'Error: 1', body: '1' }, { id: 'a', error: 'Error: 2', body: '2' });
    const job = jobs.start({ action: 'replay', filter: { errorIs: 'Error: 2' } });
    expect(await ended(job)).toMatchObject({ state: 'done', done: 1 });
    expect((await vhost.take('shop')).content.toString()).toBe('2');
    expect(await errors()).toEqual(['Error: 1']);
  });

  it('job: dead letters without an id that are equal in every detail are all dropped', async () => {
    await dead({ body: 'x' }, { body: 'x' }, { queue: 'bank' });
    const job = jobs.start({ action: 'drop', filter: { queue: 'shop' } });
    expect(await ended(job)).toMatchObject({ state: 'done', selected: 2, met: 2, done: 2 });
    expect(await errors()).toEqual(['Error: no']);
  });

  it('job: a limited number waits, each of them can be stopped, and there is room when one has ended', async () => {
    await dead({ id: 'a' });
    const start = () => jobs.start({ action: 'replay', filter: {}, to: 'no-such-queue' });
    const open = Array.from({ length: 20 }, start);
    expect(start).toThrow(expect.objectContaining({ status: 429 }));
    for (const { id } of open) expect(jobs.stop(id)).toMatchObject({ id });
    for (const job of open) await ended(job);
    expect(await ended(start())).toMatchObject({ state: 'done', stayed: [{ id: 'a' }] });
  });
});
