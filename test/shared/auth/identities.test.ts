import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openResources } from 'warren/functions';
import { httpEvent } from 'warren/testing';
import { createHandler as createAddFriend } from '../../../functions/users/add-friend.ts';
import { createHandler as createFriends } from '../../../functions/users/friends.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { authenticateCaller } from '../../../shared/auth/caller-resource.ts';
import { authenticateUsers, findCaller } from '../../../shared/auth/identities.ts';
import { authSettings } from '../../../shared/auth/settings.ts';
import { createAuthenticate } from '../../../shared/auth/tokens.ts';
import { countedId, createRateLimit } from '../../../shared/http/rate-limit.ts';
import { findReadablePath } from '../../../shared/pictures/readable-path.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';

const deps = openDeps();
const { db } = deps;
let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => Promise.all([issuer.close(), deps.close()]));

const scope = 'friends:write';
const settings = () =>
  readSettings({ auth: authSettings }, { AUTH_ISSUER: issuer.at('/users'), AUTH_AUDIENCE: 'warren' }).auth;
const authenticate = (authorization: string, needed?: string) =>
  authenticateUsers(createAuthenticate(settings()), db)(authorization, needed);
const header = async (sub: string, claims: Record<string, unknown> = {}) => {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return `Bearer ${await issuer.sign({ iss: issuer.at('/users'), aud: 'warren', scope, sub, exp, ...claims })}`;
};
const rowOf = (id: number) => db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
const identitiesOf = (subject: string) =>
  db.selectFrom('user_identities').selectAll().where('subject', '=', subject).execute();

describe('users of an issuer', () => {
  it('the first valid token makes a user, and later tokens find the same', async () => {
    const sub = `auth0|${randomUUID()}`;
    const person = { email: 'ada@example.com', email_verified: true, name: 'Ada' };
    const { id } = await authenticate(await header(sub, person));
    expect(await rowOf(id)).toEqual({ id, name: 'Ada', email: 'ada@example.com', picture_mails: true });
    expect((await authenticate(await header(sub))).id).toBe(id);
    expect(id).toBeGreaterThanOrEqual(1_000_000_000_000);
  });

  it('twenty simultaneous first tokens make one user', async () => {
    const sub = randomUUID();
    const first = await header(sub);
    const users = await Promise.all(Array.from({ length: 20 }, () => authenticate(first)));
    expect(new Set(users.map(({ id }) => id)).size).toBe(1);
    const [identity, ...more] = await identitiesOf(sub);
    expect(more).toEqual([]);
    expect(await rowOf(identity?.user_id ?? 0)).toBeDefined();
  });

  it.each([
    ['is not verified', { email: 'ada@example.com', email_verified: false, name: 'Ada' }],
    ['is said by nothing to be verified', { email: 'ada@example.com', name: 'Ada' }],
    ['is none', { email: 'ada', email_verified: true, name: 'Ada' }],
  ])('a name and an address that %s are not stored', async (_what, claims) => {
    const { id } = await authenticate(await header(randomUUID(), claims));
    expect(await rowOf(id)).toMatchObject({ name: `User ${id}`, email: null });
  });

  it('a name has no control character and at most 100 characters', async () => {
    const claims = {
      email: 'a@example.com',
      email_verified: 'true',
      name: `A\r\nBcc: x\u0000${'d'.repeat(200)}`,
    };
    const { id } = await authenticate(await header(randomUUID(), claims));
    const { name = '' } = (await rowOf(id)) ?? {};
    expect(name).toMatch(/^A Bcc: x d+$/);
    expect(name).toHaveLength(100);
  });

  it('a token that is refused makes no user', async () => {
    const sub = randomUUID();
    await expect(authenticate(await header(sub, { exp: 1 }))).rejects.toMatchObject({ status: 401 });
    await expect(authenticate(await header(sub), 'rpc:call')).rejects.toMatchObject({ status: 403 });
    expect(await identitiesOf(sub)).toEqual([]);
  });

  it('the same subject of two issuers is two users, and digits are never the id of another user', async () => {
    const sub = '7';
    const [one, other] = await Promise.all(
      ['/users', '/others'].map(async (path) => {
        const env = { AUTH_ISSUER: issuer.at(path), AUTH_AUDIENCE: 'warren' };
        const check = authenticateUsers(
          createAuthenticate(readSettings({ auth: authSettings }, env).auth),
          db,
        );
        return check(await header(sub, { iss: issuer.at(path) }));
      }),
    );
    expect(one?.id).not.toBe(other?.id);
    expect([one?.id, other?.id]).not.toContain(7);
  });

  it('our own tokens keep their ids, and make no user', async () => {
    const user = uniqueId();
    expect(await deps.authenticate(await bearer(user))).toMatchObject({ id: user, key: String(user) });
    expect(await rowOf(user)).toBeUndefined();
  });

  it('a user reads and asks under "me", because the token does not have the id', async () => {
    const call = async (create: typeof createAddFriend | typeof createFriends, sub: string, friend = '1') => {
      const authenticated = authenticateUsers(createAuthenticate(settings()), db);
      const parameters = { id: 'me', friend_id: friend };
      const event = httpEvent({ parameters, authorization: await header(sub) });
      return create({ db, authenticate: authenticated })(event, context);
    };
    const sub = randomUUID();
    const known = (await authenticate(await header(randomUUID()))).id;
    const unknown = uniqueId();
    const replies = await Promise.all(
      [known, unknown].map((friend) => call(createAddFriend, sub, String(friend))),
    );
    // The answer reveals no users.
    expect(replies[0]).toEqual(replies[1]);
    expect(replies[0]?.statusCode).toBe(204);
    const { body = '' } = await call(createFriends, sub);
    expect(JSON.parse(body)).toMatchObject({
      friends: [],
      requested: [known, unknown].sort((a, b) => a - b).map((user_id) => ({ user_id })),
    });
  });
});

describe('callers without a database', () => {
  it('an issuer with a space in its name is refused, because a key could be of two identities', () => {
    const env = { AUTH_ISSUER: 'my issuer', AUTH_AUDIENCE: 'warren', AUTH_JWKS_URL: issuer.keysUrl };
    expect(() => readSettings({ auth: authSettings }, env)).toThrow(/AUTH_ISSUER: expected .*without spaces/);
  });

  it('a function that needs only the caller reads no setting of a database', async () => {
    const env = { AUTH_ISSUER: issuer.at('/users'), AUTH_AUDIENCE: 'warren' };
    const { check } = await openResources({ check: authenticateCaller }, env);
    const caller = await check(await header('ada'), scope);
    expect(caller).toMatchObject({ key: `${issuer.at('/users')} ada`, scopes: new Set([scope]) });
    expect(caller).not.toHaveProperty('id');
  });

  it('a limit counts an identity apart from all others and from every user id', async () => {
    const [ada, bob] = [`https://issuer ${randomUUID()}`, `https://issuer ${randomUUID()}`];
    const limit = createRateLimit({ db, action: 'identities', rate: { count: 1, seconds: 3600 } });
    await limit({ key: ada });
    await expect(limit({ key: ada })).rejects.toMatchObject({ status: 429 });
    await limit({ key: bob });
    expect(countedId(ada)).toBeLessThan(0);
    expect(countedId(ada)).not.toBe(countedId(bob));
    expect(countedId('7')).toBe(7);
  });

  it('a method finds the user of a caller, and pictures only of that user', async () => {
    const sub = randomUUID();
    const { id, key } = await authenticate(await header(sub));
    const image_path = `originals/${randomUUID()}.jpg`;
    const picture = await db
      .insertInto('pictures')
      .values({ user_id: id, image_path })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(await findCaller(db, key)).toBe(id);
    expect(await findReadablePath(db, { image_id: picture.id }, key)).toBe(image_path);
    for (const other of [`${key}x`, 'nobody', ' ', String(id + 1), null]) {
      expect(await findReadablePath(db, { image_id: picture.id }, other)).toBeUndefined();
    }
    await sql`delete from pictures where id = ${picture.id}`.execute(db);
  });
});
