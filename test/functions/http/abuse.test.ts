import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createDescribe } from '../../../functions/rpc/describe-picture.ts';
import { createHandler as createPing } from '../../../functions/rpc/ping.ts';
import type { HttpReply } from '../../../runtime/http/function.ts';
import { methodsVariable } from '../../../runtime/http/methods.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { scopes } from '../../../shared/auth/tokens.ts';
import { feed } from '../../support/alerts.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { plain } from '../../support/pictures.ts';
import { type ImportedRoute, importRoutes, routeNames } from '../../support/routes.ts';
import { stack } from '../../support/stack.ts';

/** Public routes: links in mails have their own tokens, and `POST /session` is for users without a token. */
const open = [
  'GET /',
  'GET /page/{file}',
  'GET /health',
  'POST /session',
  'GET /unsubscribe',
  'POST /unsubscribe',
];
/** Routes that need a token and no scope, because they return the user's own data. */
const ownReading = /^GET \/(pictures|users|dog-walks|dog-washes)/;
const guarded = routeNames.filter((name) => !open.includes(name));

let routes: Awaited<ReturnType<typeof importRoutes>>;
const deps = openDeps();
const secret = new TextEncoder().encode(stack.AUTH_JWT_SECRET);
const user = uniqueId();
/** The accepted issuer, audience and key. */
const expected = { AUTH_ISSUER: 'https://issuer.example.com', AUTH_AUDIENCE: 'warren' };
let served: Awaited<ReturnType<typeof feed>>[] = [];

beforeAll(async () => {
  for (const [name, value] of Object.entries(stack)) vi.stubEnv(name, value);
  vi.stubEnv('LOG_LEVEL', 'silent');
  const { methods } = readSection({
    methods: { ping: { rate: 'off' }, 'describe-picture': { rate: 'off' } },
  });
  vi.stubEnv(methodsVariable, JSON.stringify(methods));
  for (const [name, value] of Object.entries(expected)) vi.stubEnv(name, value);
  routes = await importRoutes();
  served = await Promise.all([
    feed('ping', 10, createPing(deps)),
    feed('describe-picture', 10, createDescribe(deps)),
  ]);
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all(served.map((source) => source.stop()));
  await deps.close();
});

interface Request {
  authorization?: string | undefined;
  body?: string | Buffer | undefined;
  contentType?: string | undefined;
  parameter?: string;
  /** The path parameter of the other user, if a route has two; default `parameter`. */
  friend?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
}

async function call(name: string, request: Request = {}): Promise<HttpReply> {
  const { method, path, handler } = routes.get(name) as ImportedRoute;
  const { parameter = '1', friend = parameter, authorization, body, contentType, ...rest } = request;
  const parameters = Object.fromEntries(
    [...path.matchAll(/\{(\w+)\}/g)].map(([, key]) => [key, key === 'friend_id' ? friend : parameter]),
  );
  const event = httpEvent({
    method,
    path,
    parameters,
    ...rest,
    ...(authorization !== undefined && { authorization }),
    ...(body !== undefined && { body }),
    ...(contentType !== undefined && { contentType }),
  });
  return handler(event, context);
}

/** Internal details: a stack trace, a file path, a query, the address of a part with its password. */
const inner =
  /\n {4}at |node_modules|\.ts:\d|\/(functions|shared)\/|select .* from|insert into|\b(amqp|postgres(ql)?|smtp):\/\//i;

/** Expects an answer without internal details, for any request. */
function expectDecent(reply: HttpReply): void {
  const { statusCode = 0, headers = {}, body = '' } = reply;
  expect(statusCode).toBeGreaterThanOrEqual(200);
  expect(statusCode).toBeLessThan(500);
  expect(headers).toMatchObject({ 'X-Content-Type-Options': 'nosniff' });
  expect(headers).toHaveProperty('Strict-Transport-Security');
  if (statusCode < 400) return;
  expect(body).not.toMatch(inner);
  // The links in mails lead to pages for people.
  if (String(headers['content-type']).startsWith('text/html')) return;
  expect(headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(body)).toMatchObject({ status: statusCode, title: expect.stringMatching(/./) });
}

const own = { iss: expected.AUTH_ISSUER, aud: expected.AUTH_AUDIENCE };
const sign = (claims: Record<string, unknown>, key: Uint8Array = secret, alg = 'HS256') => {
  const now = Math.floor(Date.now() / 1000);
  const all = { sub: String(user), scope: scopes.join(' '), iat: now, exp: now + 60, ...own, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg }).sign(key);
};
const bearer = async (sub: number, granted: readonly string[] = scopes) =>
  `Bearer ${await sign({ sub: String(sub), scope: granted.join(' ') })}`;

describe.each(guarded)('%s', (name) => {
  it.each([
    ['nothing', async () => undefined],
    ['an empty header', async () => ''],
    ['another scheme', async () => `Basic ${btoa('admin:admin')}`],
    ['no token', async () => 'Bearer '],
    ['half a token', async () => (await bearer(user)).slice(0, -20)],
    [
      'the algorithm "none"',
      async () =>
        `Bearer ${new UnsecuredJWT({ ...own, sub: String(user), scope: scopes.join(' ') }).setExpirationTime('1m').encode()}`,
    ],
    [
      'another key',
      async () =>
        `Bearer ${await sign({}, new TextEncoder().encode('another key, as long as ours is'.repeat(2)))}`,
    ],
    ['another algorithm', async () => `Bearer ${await sign({}, secret, 'HS512')}`],
    ['a token that has expired', async () => `Bearer ${await sign({ exp: 1_600_000_000 })}`],
    ['a token without an end', async () => `Bearer ${await sign({ exp: undefined })}`],
    [
      'a token that is not good yet',
      async () => `Bearer ${await sign({ nbf: Math.floor(Date.now() / 1000) + 600 })}`,
    ],
    ['no subject', async () => `Bearer ${await sign({ sub: undefined })}`],
    ['a subject that is no user', async () => `Bearer ${await sign({ sub: "1' or '1'='1" })}`],
    ['a token for another audience', async () => `Bearer ${await sign({ aud: 'another application' })}`],
    ['a token for no audience', async () => `Bearer ${await sign({ aud: undefined })}`],
    ['a token of another issuer', async () => `Bearer ${await sign({ iss: 'https://evil.example.com' })}`],
    ['a token of no issuer', async () => `Bearer ${await sign({ iss: undefined })}`],
    ['two tokens', async () => `${await bearer(user)}, ${await bearer(user)}`],
  ])('%s gives no access', async (_what, authorization) => {
    const reply = await call(name, { authorization: await authorization() });
    expectDecent(reply);
    expect([reply.statusCode, reply.headers?.['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^Bearer/),
    ]);
  });

  it('a token for another purpose changes nothing', async () => {
    const reply = await call(name, {
      authorization: await bearer(user, ['openid']),
      parameter: String(user),
    });
    expectDecent(reply);
    if (!ownReading.test(name)) expect(reply.statusCode).toBe(403);
  });

  it('needs at most one scope, and accepts no other scope instead', async () => {
    const lacking: string[] = [];
    for (const scope of scopes) {
      const others = scopes.filter((each) => each !== scope);
      const reply = await call(name, { authorization: await bearer(user, others), parameter: String(user) });
      expectDecent(reply);
      const asked = `Bearer error="insufficient_scope", scope="${scope}"`;
      if (reply.statusCode === 403 && reply.headers?.['www-authenticate'] === asked) lacking.push(scope);
    }
    expect(lacking).toHaveLength(ownReading.test(name) ? 0 : 1);
  });
});

describe('another user', () => {
  it('cannot read or change a picture', async () => {
    const owner = uniqueId();
    const id = uniqueId();
    const body = await plain(64, 48).jpeg().toBuffer();
    await deps.storage.put(`originals/${id}.jpg`, body, 'image/jpeg');
    await deps.db
      .insertInto('pictures')
      .values({ id, user_id: owner, image_path: `originals/${id}.jpg`, status: 'ready' })
      .execute();
    const routesOfPictures = guarded.filter((name) => name.includes('/pictures/{id}'));
    expect(routesOfPictures.length).toBeGreaterThanOrEqual(3);
    for (const name of routesOfPictures) {
      const reply = await call(name, { authorization: await bearer(user), parameter: String(id) });
      expectDecent(reply);
      // The same answer as for a missing picture.
      const none = await call(name, { authorization: await bearer(user), parameter: String(uniqueId()) });
      expect([name, reply.statusCode, none.statusCode]).toEqual([name, 404, 404]);
    }
    const row = await deps.db
      .selectFrom('pictures')
      .select(['status', 'deleted_at'])
      .where('id', '=', id)
      .execute();
    expect(row).toEqual([{ status: 'ready', deleted_at: null }]);
    expect(await deps.storage.size(`originals/${id}.jpg`)).toBe(body.length);
  });

  it('a friend is the user who is named, and not the one who names them', async () => {
    const friend = uniqueId();
    const users = [user, friend].map((id) => ({ id, name: 'Test', email: `${id}@example.com` }));
    await deps.db.insertInto('users').values(users).execute();
    const [name = ''] = guarded.filter((each) => each.startsWith('PUT /users/{id}/friends'));
    const as = async (sub: number, parameter: number, other: number) =>
      (
        await call(name, {
          authorization: await bearer(sub),
          parameter: String(parameter),
          friend: String(other),
        })
      ).statusCode;
    expect([await as(friend, user, friend), await as(user, user, friend)]).toEqual([403, 204]);
    const rows = deps.db.selectFrom('friendships').selectAll().where('user_id', 'in', [user, friend]);
    expect(await rows.execute()).toEqual([{ user_id: user, friend_id: friend }]);
  });

  it("cannot read or change a user's data", async () => {
    const routesOfUsers = guarded.filter((name) => name.includes('/users/{id}'));
    expect(routesOfUsers.length).toBeGreaterThanOrEqual(4);
    for (const name of routesOfUsers) {
      const body = name.endsWith('/mails') ? '{"pictures": false}' : undefined;
      const reply = await call(name, { authorization: await bearer(user), parameter: '1', body });
      expectDecent(reply);
      expect([name, reply.statusCode]).toEqual([name, expect.toBeOneOf([403, 404])]);
    }
  });
});

/** Unusual texts: any characters, half surrogate pairs, very long texts, numbers, attacks. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1e3',
    '9007199254740993',
    '99999999999999999999',
    'NaN',
    '__proto__',
    'constructor',
    '../../etc/passwd',
    "1' or '1'='1",
    '\u0000',
    '%00',
    '\ud800',
    '1;drop table users',
    '{{7*7}}',
    'a'.repeat(10_000),
  ),
);
const nested = fc.integer({ min: 1, max: 200_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));
const json = fc.oneof(
  fc.json({ noUnicodeString: false }),
  nested,
  nested.map((value) => `{"routing_key": "info.test-${user}", "message": ${value}}`),
  fc.dictionary(nasty, fc.jsonValue()).map((value) => JSON.stringify(value)),
  fc
    .record(
      Object.fromEntries(
        [
          'routing_key',
          'message',
          'dedup_key',
          'content_type',
          'bytes',
          'pictures',
          'dog',
          'at',
          'minutes',
          'image_id',
        ].map((field) => [
          field,
          fc.oneof(nasty, fc.jsonValue(), fc.double(), fc.constantFrom('image/jpeg', 'critical.x')),
        ]),
      ),
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
);
const body = fc.oneof(
  { weight: 3, arbitrary: json },
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  nasty,
  fc
    .uint8Array({ maxLength: 500 })
    .map((bytes) =>
      Buffer.concat([
        Buffer.from('--b\r\ncontent-disposition: form-data; name="picture"; filename="x"\r\n\r\n'),
        Buffer.from(bytes),
        Buffer.from('\r\n--b--\r\n'),
      ]),
    ),
);
const contentType = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('application/json', 'multipart/form-data; boundary=b') },
  fc.constantFrom(
    '',
    'text/plain',
    'application/json; charset=utf-16',
    'multipart/form-data',
    'application/problem+json',
  ),
  nasty,
);
const request = fc.record({
  body: fc.option(body, { nil: undefined }),
  contentType: fc.option(contentType, { nil: undefined }),
  parameter: fc.oneof(nasty, fc.integer().map(String), fc.constant(String(user))),
  friend: fc.oneof(nasty, fc.integer().map(String)),
  query: fc.dictionary(fc.oneof(nasty, fc.constantFrom('before', 'limit', 'token', 'user')), nasty),
  headers: fc.dictionary(
    fc.constantFrom(
      'idempotency-key',
      'traceparent',
      'if-none-match',
      'accept-encoding',
      'content-encoding',
      'x-forwarded-for',
      'host',
    ),
    nasty,
  ),
});

// The input of an RPC method is passed on, and a method that does not answer takes until its time limit.
const fuzzed = routeNames.filter((name) => name !== 'POST /rpc/{method}');

describe.each(fuzzed)('%s', (name) => {
  it('answers any input without internal details', async () => {
    const authorization = await bearer(user);
    await fc.assert(
      fc.asyncProperty(request, async (each) => expectDecent(await call(name, { ...each, authorization }))),
      { numRuns: 120 },
    );
  }, 60_000);
});

describe('POST /rpc/{method}', () => {
  const anything = async (parameterOf: (given: string) => string, numRuns: number) => {
    const authorization = await bearer(user);
    await fc.assert(
      fc.asyncProperty(request, async ({ parameter, ...each }) =>
        expectDecent(
          await call('POST /rpc/{method}', { ...each, parameter: parameterOf(parameter), authorization }),
        ),
      ),
      { numRuns },
    );
  };

  it('answers any input for a missing method without internal details', async () => {
    await anything((parameter) => `x${parameter}`, 120);
  }, 60_000);

  it.each(['ping', 'describe-picture'])(
    'has a decent answer to anything for %s',
    async (method) => {
      await anything(() => method, 60);
    },
    60_000,
  );
});
