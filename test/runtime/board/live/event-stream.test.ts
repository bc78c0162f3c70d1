import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import type { Access } from '../../../../runtime/board/access.ts';
import { Board } from '../../../../runtime/board/board.ts';
import { management } from '../../../support/broker.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

let vhost: TestVhost;
let board: Board;
let brief: Board;
const patience = { timeout: 30_000 };

/** Access with a token that expires soon. */
const briefAccess: Access = {
  needsToken: true,
  signIn: null,
  identify: async () => ({ user: 'ann', role: 'viewer', until: Date.now() + 500 }),
  origins: async () => [],
};

beforeAll(async () => {
  vhost = await openVhost({ deadLetterIndex: true, exchanges: { orders: { type: 'topic' } } });
  const common = { url: vhost.url, port: 0, page: new Map(), log: silentLog };
  board = new Board(common);
  brief = new Board({ ...common, access: briefAccess });
  await Promise.all([board.start(), brief.start()]);
});
afterAll(async () => {
  await Promise.all([board?.stop(), brief?.stop()]);
  await vhost?.close();
});

const spyOf = ({ port }: Board) => `http://127.0.0.1:${port}/api/spy?exchange=orders`;
/** Number of the temporary queues of spies. */
const spies = async (): Promise<number> => {
  const queues = await management<{ name: string }[]>('GET', `/queues/${vhost.name}?columns=name`);
  return queues.filter(({ name }) => name.startsWith('amq.')).length;
};

describe('event streams of the board', () => {
  it('event stream: a request with HEAD opens no stream that would stay', async () => {
    for (const path of ['/api/spy?exchange=orders', '/api/live']) {
      const response = await fetch(`http://127.0.0.1:${board.port}${path}`, { method: 'HEAD' });
      expect(response.status).toBe(404);
    }
    expect(await spies()).toBe(0);
  });

  it('event stream: it ends when the token of its user expires', async () => {
    for (const path of ['/api/spy?exchange=orders', '/api/live']) {
      const response = await fetch(`http://127.0.0.1:${brief.port}${path}`);
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      expect(await response.text()).toContain(': open');
    }
    await expect.poll(spies, patience).toBe(0);
  });

  it('event stream: spies that their clients leave open are limited, and end with their clients', async () => {
    const stop = new AbortController();
    const open = () => fetch(spyOf(board), { signal: stop.signal });
    for (let n = 0; n < 20; n += 1) expect((await open()).status).toBe(200);
    expect((await open()).status).toBe(429);
    expect(await spies()).toBe(20);
    stop.abort();
    await expect.poll(spies, patience).toBe(0);
    const next = new AbortController();
    await expect
      .poll(async () => (await fetch(spyOf(board), { signal: next.signal })).status, patience)
      .toBe(200);
    next.abort();
  });

  it('event stream: a client that goes before the answer leaves no spy', async () => {
    for (let n = 0; n < 30; n += 1) {
      const early = request(spyOf(board)).on('error', () => undefined);
      early.end();
      // The request is on its way, and the board opens a connection to the broker for it.
      await new Promise((resolve) => early.once('finish', resolve));
      early.destroy();
    }
    const stop = new AbortController();
    await expect
      .poll(async () => (await fetch(spyOf(board), { signal: stop.signal })).status, patience)
      .toBe(200);
    stop.abort();
    await expect.poll(spies, patience).toBe(0);
  });

  it('event stream: a comment is sent while nothing happens, so that a client that has gone is noticed', async () => {
    const stop = new AbortController();
    const { body } = await fetch(spyOf(board), { signal: stop.signal });
    let text = '';
    for await (const chunk of body ?? []) {
      text += new TextDecoder().decode(chunk);
      if (text.includes('\n\n:\n\n')) break;
    }
    stop.abort();
  }, 60_000);
});
