import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { issuerAccess } from '../../../runtime/board/access.ts';
import { boardSettings } from '../../../runtime/board/access-settings.ts';
import type { AuditEntry } from '../../../runtime/board/api-job-types.ts';
import { Board } from '../../../runtime/board/board.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { publishAllDead } from '../../support/dead-letters.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

let vhost: TestVhost;
let issuer: Issuer;
let board: Board;
let base: string;
let name: string;

const settings = (env: Record<string, string>) => readSettings({ board: boardSettings }, env).board;

beforeAll(async () => {
  issuer = await startIssuer();
  name = issuer.at('/realms/warren');
  vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {} } });
  const access = issuerAccess(
    name,
    settings({
      BOARD_ISSUER: name,
      BOARD_AUDIENCE: 'board',
      BOARD_USER_CLAIM: 'email',
      BOARD_ROLE_CLAIM: 'realm_access.roles',
      BOARD_OPERATORS: 'ops,admins',
      BOARD_VIEWERS: 'staff',
      BOARD_CLIENT_ID: 'board-page',
    }),
  );
  board = new Board({
    url: vhost.url,
    host: '0.0.0.0',
    port: 0,
    page: new Map(),
    access,
    graceMs: 0,
    log: silentLog,
  });
  await board.start();
  base = `http://127.0.0.1:${board.port}/api`;
});
afterAll(async () => {
  await board?.stop();
  await vhost?.close();
  await issuer?.close();
});

const tokenOf = (roles: readonly string[], claims: object = {}) =>
  issuer.sign({
    iss: name,
    aud: 'board',
    sub: 'u1',
    email: 'ann@example.com',
    exp: Math.floor(Date.now() / 1000) + 600,
    realm_access: { roles },
    ...claims,
  });
const send = async (path: string, token?: string, body?: object) => {
  const response = await fetch(`${base}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json', 'x-warren-board': '1' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

describe('the sign-in of the board', () => {
  const signIn = () => ({
    authority: name,
    client_id: 'board-page',
    scope: 'openid profile email',
    parameters: {},
  });

  it('sign-in: without a valid token, no route answers, and the answer has the way to sign in', async () => {
    const expired = await tokenOf(['ops'], { exp: 1 });
    const other = await tokenOf(['ops'], { aud: 'another-application' });
    const foreign = await tokenOf(['ops'], { iss: issuer.at('/realms/other') });
    const nameless = await tokenOf(['ops'], { email: undefined });
    for (const token of [undefined, 'x', expired, other, foreign, nameless]) {
      for (const path of ['/groups', '/jobs', '/live', '/topology', '/audit', '/letters/1'])
        expect(await send(path, token)).toMatchObject({ status: 401, body: { sign_in: signIn() } });
    }
    expect((await send('/jobs', undefined, { action: 'drop', filter: {} })).status).toBe(401);
    expect((await send('/session', expired)).status).toBe(401);
  });

  it('sign-in: an anonymous client learns from the session how to sign in, and nothing about the board and its broker', async () => {
    const { status, body } = await send('/session');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      user: null,
      role: null,
      sign_in: signIn(),
      vhost: '',
      broker: '',
      version: '',
      sources: [],
    });
  });

  it('sign-in: a viewer reads and changes nothing, an operator changes, and a user without a role gets nothing', async () => {
    await publishAllDead(vhost.channel, [{ id: 'a' }]);
    const [viewer, operator, guest] = await Promise.all(
      [['staff'], ['admins', 'staff'], ['guests']].map((roles) => tokenOf(roles)),
    );
    const total = async () => (await send('/groups', viewer)).body['total'];
    await expect.poll(total, { timeout: 20_000 }).toBe(1);
    const drop = { action: 'drop', filter: {} };
    expect((await send('/jobs', viewer, drop)).status).toBe(403);
    expect((await send('/groups', guest)).status).toBe(403);
    expect((await send('/session', viewer)).body).toMatchObject({ user: 'ann@example.com', role: 'viewer' });
    const made = await send('/jobs', operator, drop);
    expect([made.status, made.body['user']]).toEqual([202, 'ann@example.com']);
    await expect.poll(total, { timeout: 20_000 }).toBe(0);
    const entries = async () => (await send('/audit', viewer)).body['entries'] as AuditEntry[];
    await expect.poll(async () => (await entries()).map(({ action }) => action)).toEqual(['done', 'drop']);
    expect(await entries()).toMatchObject([
      { user: 'ann@example.com', detail: { job: made.body['id'], done: 1 } },
      { user: 'ann@example.com', detail: { job: made.body['id'], selected: 1, filter: {} } },
    ]);
  });

  it('sign-in: an issuer without an audience is refused', () => {
    expect(() => settings({ BOARD_ISSUER: 'https://issuer.example.com' })).toThrow(/BOARD_AUDIENCE/);
  });
});
