import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { Job } from '../../../runtime/board/api-job-types.ts';
import { deadLetters } from '../../../runtime/topology/names.ts';
import { boardApi } from '../../support/board-api.ts';
import { type GivenDeadLetter, publishAllDead } from '../../support/dead-letters.ts';

const board = boardApi({ graceMs: 0 });

const own = { 'x-warren-board': '1' };
const get = async (path: string) => {
  const response = await fetch(`${board.base}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const post = async (body: unknown, type = 'application/json') => {
  const options = { method: 'POST', headers: { ...own, 'content-type': type }, body: JSON.stringify(body) };
  const response = await fetch(`${board.base}/jobs`, options);
  return { status: response.status, body: (await response.json()) as Job };
};
const dead = async (...given: GivenDeadLetter[]) => {
  await publishAllDead(board.vhost.channel, given);
  const total = await board.vhost.count(deadLetters);
  await expect.poll(async () => (await get('/groups')).body['total'], { timeout: 20_000 }).toBe(total);
};
/** Waits for the end of a job. */
const ended = async ({ id }: Job): Promise<Job> => {
  await expect
    .poll(async () => (await get(`/jobs/${id}`)).body['endedAt'], { timeout: 60_000 })
    .toBeDefined();
  return (await get(`/jobs/${id}`)).body as unknown as Job;
};
const idsOf = ({ body }: { body: Record<string, unknown> }) =>
  (body['letters'] as { id: string }[]).map(({ id }) => id);
const drop = async (filter: object) => ended((await post({ action: 'drop', filter })).body);

describe('the board', () => {
  it('board: dead letters are grouped with counts over time, listed in pages, searched, and shown whole', async () => {
    const at = (hour: number) => `2026-01-01T${String(hour).padStart(2, '0')}:00:00.000Z`;
    await dead(
      { id: 'a', at: at(0) },
      { id: 'b', at: at(1) },
      { id: 'c', at: at(9), body: '{"order":4711}' },
      { queue: 'bank', id: 'd', error: 'TypeError: x\n    at pay (/srv/pay.ts:1:2)', at: at(2) },
    );
    expect((await get('/groups?intervals=2')).body).toMatchObject({
      total: 4,
      from: at(0),
      groups: [
        { queue: 'shop', error: 'Error: no', count: 3, first_seen: at(0), last_seen: at(9), counts: [2, 1] },
        { queue: 'bank', error: 'TypeError: x', place: 'pay (/srv/pay.ts:1:2)', count: 1, counts: [1, 0] },
      ],
    });
    const first = await get('/letters?queue=shop&limit=2');
    expect(idsOf(first)).toEqual(['a', 'b']);
    expect(idsOf(await get(`/letters?queue=shop&after=${first.body['next']}`))).toEqual(['c']);
    expect(idsOf(await get('/letters?order=newest&limit=1'))).toEqual(['d']);
    const found = await get('/letters?text=4711');
    expect([idsOf(found), found.body['next']]).toEqual([['c'], null]);
    const [letter] = found.body['letters'] as { offset: number; failed_at: string }[];
    expect(letter).toMatchObject({ id: 'c', queue: 'shop', reason: 'rejected', failed_at: at(9), bytes: 14 });
    const whole = await get(`/letters/${letter?.offset}`);
    expect(whole.body).toMatchObject({ id: 'c', body: '{"order":4711}', attempts: 3, is_gone: false });
    expect((await board.vhost.take(deadLetters)).fields.redelivered).toBe(false);
    expect((await get('/letters/99999')).status).toBe(404);
    await drop({});
  });

  it('board: curves have a span without dead letters too, and one that begins behind the newest or ends before the oldest', async () => {
    await dead();
    const span = async (query: string) => {
      const { status, body } = await get(`/groups?intervals=2${query}`);
      expect([status, body['groups']]).toEqual([200, []]);
      return [body['from'], body['to']].map((time) => Date.parse(String(time)));
    };
    const spans = await Promise.all(
      ['', '&queue=none', '&from=2999-01-01T00:00:00Z', '&to=2001-01-01T00:00:00Z'].map(span),
    );
    for (const [from, to] of spans) expect(to).toBe(Number(from) + 1);
    const wrong = await get('/groups?intervals=2&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z');
    expect(wrong).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/^to: expected a time/) },
    });
  });

  it('board: a job replays the dead letters of one group, and reports how many', async () => {
    await dead({ id: 'a', error: 'Error: a' }, { id: 'ab', error: 'Error: ab' }, { queue: 'bank', id: 'a' });
    const { status, body } = await post({
      action: 'replay',
      filter: { queue: 'shop', error_is: 'Error: a' },
    });
    expect([status, body.selected]).toEqual([202, 1]);
    expect(await ended(body)).toMatchObject({ state: 'done', met: 1, done: 1, stayed: [] });
    expect((await board.vhost.take('shop')).properties.messageId).toBe('a');
    expect(idsOf(await get('/letters'))).toEqual(['ab', 'a']);
    expect(await drop({ queue: 'bank' })).toMatchObject({ state: 'done', done: 1 });
    const gone = await post({ action: 'replay', filter: {}, to: 'no-such-queue' });
    expect(await ended(gone.body)).toMatchObject({ done: 0, stayed: [{ id: 'ab', queue: 'shop' }] });
    expect(idsOf(await get('/letters'))).toEqual(['ab']);
    await drop({});
  });

  it('board: a job that is stopped leaves the rest, and another one replays it', async () => {
    await dead(...Array.from({ length: 5000 }, (_, n) => ({ id: `m${n}` })));
    const { body } = await post({ action: 'replay', filter: {} });
    await expect
      .poll(async () => (await get(`/jobs/${body.id}`)).body['met'], { interval: 5, timeout: 20_000 })
      .toBeGreaterThan(0);
    await fetch(`${board.base}/jobs/${body.id}`, { method: 'DELETE', headers: own });
    const stopped = await ended(body);
    expect(stopped.state).toBe('stopped');
    expect(await board.vhost.count('shop')).toBe(stopped.done);
    expect(await board.vhost.count(deadLetters)).toBe(5000 - stopped.done);
    const rest = await ended((await post({ action: 'replay', filter: {} })).body);
    expect([rest.state, rest.done]).toEqual(['done', 5000 - stopped.done]);
    expect([await board.vhost.count('shop'), await board.vhost.count(deadLetters)]).toEqual([5000, 0]);
  });

  it('board: a job selects each dead letter that was there before its request, also while the index is being read', async () => {
    // A client that watches the queue finds it at any moment of an update.
    for (let n = 0; n < 20; n += 1) {
      const reading = get('/groups');
      const early = post({ action: 'drop', filter: { id: 'none' } });
      await publishAllDead(board.vhost.channel, [{ id: `moment-${n}` }]);
      const { body } = await post({ action: 'drop', filter: { id: `moment-${n}` } });
      expect(body.selected).toBe(1);
      await Promise.all([reading, early]);
      await ended(body);
    }
  });

  it('board: a client that sees the state of an ended job finds an index without what is gone', async () => {
    for (let n = 0; n < 5; n += 1) {
      await dead({ id: `gone-${n}` });
      const { id } = (await post({ action: 'replay', filter: {} })).body;
      const state = async () => (await get(`/jobs/${id}`)).body['state'];
      await expect.poll(state, { interval: 1, timeout: 20_000 }).toBe('done');
      expect((await get('/groups')).body['total']).toBe(0);
    }
    await board.vhost.channel.purgeQueue('shop');
  });

  it('board: problems name the parameter, and requests in the name of another site are refused', async () => {
    const made = ((await get('/jobs')).body['jobs'] as unknown[]).length;
    expect(await get('/letters?limit=0&colour=red')).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/limit.*\n.*colour/s) },
    });
    expect((await post({ action: 'replay' })).status).toBe(400);
    expect((await post({ action: 'replay', filter: {} }, 'text/plain')).status).toBe(415);
    const status = await new Promise((resolve) => {
      const headers = { host: 'attacker.example' };
      request(`${board.base}/groups`, { headers }, (response) => resolve(response.resume().statusCode)).end();
    });
    expect(status).toBe(421);
    // `fetch` of Node cannot set this header.
    const ofSite = (site: string) =>
      new Promise((resolve) => {
        const headers = { 'sec-fetch-site': site };
        request(`${board.base}/groups`, { headers }, (response) =>
          resolve(response.resume().statusCode),
        ).end();
      });
    expect(await Promise.all(['cross-site', 'same-site', 'same-origin', 'none'].map(ofSite))).toEqual([
      403, 403, 200, 200,
    ]);
    expect((await get('/nothing')).status).toBe(404);
    const unmarked = await fetch(`${board.base}/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"action":"drop","filter":{}}',
    });
    expect([unmarked.status, ((await get('/jobs')).body['jobs'] as unknown[]).length]).toEqual([403, made]);
  });
});
