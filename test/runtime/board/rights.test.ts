/** The board with the logins that docs/run-the-board.md names, which have no other right. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import type { Live, TopologyMap } from '../../../runtime/board/api-live-types.ts';
import type { GoneLetters } from '../../../runtime/board/api-types.ts';
import { Board } from '../../../runtime/board/board.ts';
import { viewService } from '../../../runtime/board/live/service-view.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { compileUsers } from '../../../runtime/topology/user-rights.ts';
import { applyUsers } from '../../../runtime/topology/users.ts';
import { management, unique } from '../../support/broker.ts';
import { publishAllDead } from '../../support/dead-letters.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

/** The chart runs the board with the login of this user. */
const sample = parse(readFileSync(projectFile('serverless.yml'), 'utf8')) as {
  custom: { warren: { users: { operator: Record<string, unknown> } } };
};
const patience = { timeout: 60_000, interval: 100 };
const names = { board: unique('board'), operator: unique('operator') };
const section = {
  deadLetterIndex: true,
  exchanges: { orders: { type: 'topic' } },
  queues: { shop: { bindings: [{ exchange: 'orders', routingKey: 'order.*' }] }, bank: { delays: true } },
  users: {
    [names.board]: { replays: true, counts: true, manages: true },
    [names.operator]: sample.custom.warren.users.operator,
  },
};
const marked = { 'content-type': 'application/json', 'x-warren-board': '1' };

describe('the board with the least rights', { timeout: 120_000 }, () => {
  let vhost: TestVhost;
  const boards: Board[] = [];

  beforeAll(async () => {
    vhost = await openVhost(section);
    const users = compileUsers(readSection(section), {});
    const passwords = Object.fromEntries(users.map(({ name }) => [name, name]));
    await applyUsers({ managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name, users, passwords });
  });
  afterAll(async () => {
    await Promise.all(boards.map((board) => board.stop()));
    for (const name of Object.values(names)) await management('DELETE', `/users/${name}`);
    await vhost?.close();
  });

  const loginIn = (url: string, name: string) =>
    Object.assign(new URL(url), { username: name, password: name }).href;
  const open = async (name: string, hasManagement: boolean) => {
    const board = new Board({
      url: loginIn(vhost.url, name),
      port: 0,
      page: new Map(),
      graceMs: 0,
      log: silentLog,
      managementUrl: hasManagement ? loginIn(stack.AMQP_MANAGEMENT_URL, name) : undefined,
      service: viewService(vhost.url, { functions: {}, custom: { warren: section } }),
    });
    boards.push(board);
    await board.start();
    const base = `http://127.0.0.1:${board.port}/api`;
    const get = async <T>(path: string): Promise<T> => {
      const reply = await fetch(base + path, { headers: { accept: 'application/json' } });
      expect([path, reply.status]).toEqual([path, 200]);
      return (await reply.json()) as T;
    };
    const post = async (path: string, body: object, status: number) => {
      const reply = await fetch(base + path, { method: 'POST', headers: marked, body: JSON.stringify(body) });
      expect([path, reply.status]).toEqual([path, status]);
      return (await reply.json()) as { id: string };
    };
    const act = async (job: object) => {
      const { id } = await post('/jobs', job, 202);
      const state = async () => (await get<{ endedAt?: string; state: string }>(`/jobs/${id}`)).state;
      await expect.poll(state, patience).toBe('done');
    };
    return { base, get, post, act };
  };
  /** What an operator does: lists, searches, reads, replays, edits and drops. */
  const operate = async ({ get, post, act }: Awaited<ReturnType<typeof open>>) => {
    await publishAllDead(
      vhost.channel,
      ['a', 'b', 'c'].map((id) => ({ id })),
    );
    const list = async () => {
      const reply = await get<{ letters?: { id: string; offset: number }[] }>('/letters').catch(
        () => undefined,
      );
      return reply?.letters ?? [];
    };
    await expect
      .poll(async () => (await list()).map(({ id }) => id).sort(), patience)
      .toEqual(['a', 'b', 'c']);
    const second = (await list()).find(({ id }) => id === 'b');
    expect(await get('/letters?text=%22a%22')).toMatchObject({ letters: { length: 3 } });
    expect(await get(`/letters/${second?.offset}`)).toMatchObject({ id: 'b', end: null });
    await act({ action: 'replay', filter: { id: 'a' } });
    await post(`/letters/${second?.offset}/replay`, { body: 'e30=', to: 'bank' }, 201);
    await act({ action: 'drop', filter: { id: 'c' } });
    const { letters } = await get<GoneLetters>('/gone');
    expect(letters.slice(0, 3).map(({ id, end }) => [id, end.ending])).toEqual([
      ['c', 'dropped'],
      ['b', 'replayed'],
      ['a', 'replayed'],
    ]);
    expect(await get(`/letters/${second?.offset}`)).toMatchObject({ is_gone: true, end: { to: 'bank' } });
    expect(await get('/audit')).toMatchObject({ entries: expect.arrayContaining([]) });
  };

  it('least rights: with replays, counts and manages, each view of the board works but the spy', async () => {
    const board = await open(names.board, true);
    await operate(board);
    const live = async () => board.get<Live>('/live');
    // The numbers of the management API are up to 5 s old.
    await expect
      .poll(
        async () => (await live()).queues.map((each) => [each.name, each.waiting, each.in_flight]),
        patience,
      )
      .toEqual([
        ['bank', 1, 0],
        ['shop', 1, 0],
      ]);
    const { scheduled, problem } = await live();
    expect([problem, scheduled?.total]).toEqual([null, 0]);
    expect((await board.get<TopologyMap>('/topology')).edges).toMatchObject([{ from: 'exchange:orders' }]);
    expect(await board.get('/history?range=hour')).toMatchObject({ range: 'hour' });
    const spy = await fetch(`${board.base}/spy?exchange=orders`);
    expect(spy.status).not.toBe(200);
    await spy.body?.cancel();
  });

  it('least rights: with the right to temporary queues and to an exchange, the spy works as well', async () => {
    const path = `/permissions/${vhost.name}/${names.board}`;
    type Rights = { configure: string; write: string; read: string };
    const { configure, write, read } = await management<Rights>('GET', path);
    const own = '^amq\\.gen.*$';
    await management('PUT', path, {
      configure: `${configure}|${own}`,
      write: `${write}|${own}`,
      read: `${read}|${own}|^orders$`,
    });
    const board = await open(names.board, true);
    const stop = new AbortController();
    const spied = async () => {
      const reply = await fetch(`${board.base}/spy?exchange=orders`, { signal: stop.signal });
      return reply.status === 200 ? reply : undefined;
    };
    // The broker remembers rights for each channel.
    await expect.poll(async () => (await spied())?.status, patience).toBe(200);
    stop.abort();
  });

  it('least rights: as the chart runs it, with the operator of the sample and no management API, dead letters, live and the map work', async () => {
    const board = await open(names.operator, false);
    await operate(board);
    const { queues, scheduled, problem } = await board.get<Live>('/live');
    expect(queues.map(({ name, in_flight: inFlight }) => [name, inFlight]).sort()).toEqual([
      ['bank', null],
      ['shop', null],
    ]);
    expect(scheduled?.total).toBe(0);
    expect(problem).toMatch(/^AMQP_MANAGEMENT_URL is not set:[^;]*$/);
    expect((await board.get<TopologyMap>('/topology')).edges).toMatchObject([{ from: 'exchange:orders' }]);
  });
});
