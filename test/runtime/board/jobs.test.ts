import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import type { Job } from '../../../runtime/board/api-job-types.ts';
import { type JobRequest, Jobs, type JobsOptions } from '../../../runtime/board/jobs.ts';
import { indexActions } from '../../../runtime/dead-letters/actions.ts';
import { DeadLetterIndex } from '../../../runtime/dead-letters/dead-letter-index.ts';
import { dropDeadLetters, listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { type GivenDeadLetter, publishAllDead } from '../../support/dead-letters.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

let vhost: TestVhost;
let index: DeadLetterIndex;
let jobs: Jobs;

const jobsWith = (options: Partial<JobsOptions> = {}) =>
  new Jobs({
    index,
    actions: indexActions(vhost.url),
    log: silentLog,
    graceMs: 0,
    ended: () => index.update().catch(() => undefined),
    ...options,
  });

beforeAll(async () => {
  vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {}, bank: {} } });
});
beforeEach(() => {
  index = new DeadLetterIndex(vhost.url);
  jobs = jobsWith();
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
const start = (request: Omit<JobRequest, 'user'>) => jobs.start({ user: 'ann', ...request });
const ended = async (job: Job) => {
  await expect.poll(() => job.endedAt, { timeout: 60_000 }).toBeDefined();
  return job;
};
const errors = async () => (await listDeadLetters(vhost.url)).map(({ error }) => error);

describe('jobs on dead letters', () => {
  it('job: of two dead letters with the same id, only the selected one is dropped', async () => {
    await dead({ id: 'a', error: 'Error: first' }, { id: 'a', error: 'Error: second' });
    const job = start({ action: 'drop', filter: { errorIs: 'Error: second' } });
    expect(await ended(job)).toMatchObject({ state: 'done', selected: 1, met: 1, done: 1 });
    expect(await errors()).toEqual(['Error: first']);
  });

  it('job: of two dead letters with the same id, only the selected one is replayed', async () => {
    await dead({ id: 'a', error: 'Error: 1', body: '1' }, { id: 'a', error: 'Error: 2', body: '2' });
    const job = start({ action: 'replay', filter: { errorIs: 'Error: 2' } });
    expect(await ended(job)).toMatchObject({ state: 'done', done: 1 });
    expect((await vhost.take('shop')).content.toString()).toBe('2');
    expect(await errors()).toEqual(['Error: 1']);
  });

  it('job: dead letters without an id that are equal in every detail are all dropped', async () => {
    await dead({ body: 'x' }, { body: 'x' }, { queue: 'bank' });
    const job = start({ action: 'drop', filter: { queue: 'shop' } });
    expect(await ended(job)).toMatchObject({ state: 'done', selected: 2, met: 2, done: 2 });
    expect(await errors()).toEqual(['Error: no']);
  });

  it('job: a limited number waits, each of them can be stopped, and there is room when one has ended', async () => {
    await dead({ id: 'a' });
    const again = () => start({ action: 'replay', filter: {}, to: 'no-such-queue' });
    const open = Array.from({ length: 20 }, again);
    expect(again).toThrow(expect.objectContaining({ status: 429 }));
    for (const { id } of open) expect(jobs.stop(id)).toMatchObject({ id });
    for (const job of open) await ended(job);
    expect(await ended(again())).toMatchObject({ state: 'done', stayed: [{ id: 'a' }] });
  });

  it('job: a drop waits for its grace period, in which it is undone and drops nothing', async () => {
    await dead({ id: 'a' }, { id: 'b' });
    await jobs.close();
    jobs = jobsWith({ graceMs: 3_600_000 });
    const drop = start({ action: 'drop', filter: {} });
    expect(drop).toMatchObject({ state: 'pending', selected: 2, user: 'ann' });
    expect(Date.parse(drop.begins_at ?? '')).toBeGreaterThan(Date.parse(drop.createdAt));
    // A drop that waits keeps no other job waiting.
    expect(await ended(start({ action: 'replay', filter: { id: 'a' } }))).toMatchObject({ done: 1 });
    jobs.stop(drop.id);
    expect(await ended(drop)).toMatchObject({ state: 'stopped', met: 0, done: 0 });
    expect(await vhost.count(deadLetters)).toBe(1);
    await vhost.take('shop');
  });

  it('job: one that is paused leaves the rest in the queue and others run, and when it is resumed it completes with exact counts', async () => {
    const count = 5000;
    await dead(...Array.from({ length: count }, (_, n) => ({ id: `m${n}` })), { queue: 'bank', id: 'other' });
    const job = start({ action: 'replay', filter: { queue: 'shop' } });
    await expect.poll(() => job.met, { interval: 1, timeout: 20_000 }).toBeGreaterThan(0);
    jobs.pause(job.id);
    await expect.poll(() => job.state, { timeout: 20_000 }).toBe('paused');
    const { met } = job;
    expect(met).toBeLessThan(count);
    expect(await vhost.count('shop')).toBe(met);
    expect(await ended(start({ action: 'drop', filter: { queue: 'bank' } }))).toMatchObject({ done: 1 });
    expect(await vhost.count(deadLetters)).toBe(count - met);
    jobs.resume(job.id);
    expect(await ended(job)).toMatchObject({ state: 'done', met: count, done: count, stayed: [] });
    expect([await vhost.count('shop'), await vhost.count(deadLetters)]).toEqual([count, 0]);
    await vhost.channel.purgeQueue('shop');
  });

  it('job: one that waits for another one and is paused and stopped touches no dead letter', async () => {
    await dead({ id: 'a' }, { queue: 'bank', id: 'b' });
    const first = start({ action: 'replay', filter: { queue: 'shop' } });
    const second = start({ action: 'replay', filter: { queue: 'bank' } });
    expect(jobs.pause(second.id)?.state).toBe('paused');
    expect(jobs.resume(second.id)?.state).toBe('waiting');
    expect(jobs.pause(second.id)?.state).toBe('paused');
    await ended(first);
    jobs.stop(second.id);
    expect(await ended(second)).toMatchObject({ state: 'stopped', met: 0 });
    expect(await vhost.count('bank')).toBe(0);
    await vhost.take('shop');
  });

  it('job: dead letters that are selected by their positions are dropped, and no others with their id', async () => {
    await dead(
      { id: 'a', error: 'Error: 1' },
      { id: 'a', error: 'Error: 2' },
      { id: 'a', error: 'Error: 3' },
    );
    const offsets = index.page({}, {}).map(({ offset }) => offset);
    let recorded: unknown;
    await jobs.close();
    jobs = jobsWith({
      begins: async (_job, filter) => {
        recorded = filter;
      },
    });
    const job = start({ action: 'drop', filter: {}, offsets: offsets.slice(0, 2) });
    expect(await ended(job)).toMatchObject({ selected: 2, done: 2 });
    expect(await errors()).toEqual(['Error: 3']);
    // The audit log would have no selection otherwise, as if all were meant.
    expect(recorded).toEqual({ offset: offsets.slice(0, 2) });
  });
});
