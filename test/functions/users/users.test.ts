import { SignJWT } from 'jose';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { createHandler as createAdd } from '../../../functions/users/add-friend.ts';
import { createHandler as createList } from '../../../functions/users/friends.ts';
import { createHandler as createMails } from '../../../functions/users/mails.ts';
import { createHandler as createRemove } from '../../../functions/users/remove-friend.ts';
import { createHandler as createUnsubscribe } from '../../../functions/users/unsubscribe.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, messageEvent } from '../../support/events.ts';
import { mailsTo, sourceOf } from '../../support/mailbox.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const { db } = deps;
afterAll(() => deps.close());

const makeUser = async (name: string) => {
  const id = uniqueId();
  const user = { id, name, email: `${name.toLowerCase()}-${id}@example.com` };
  await db.insertInto('users').values(user).execute();
  return user;
};

interface Call {
  user: number;
  /** The user in the path, default the caller. */
  id?: number;
  friend?: number | string;
  scopes?: string[];
  body?: unknown;
}
const call = async (
  handler: ReturnType<typeof createList>,
  { user, id = user, friend, scopes, body }: Call,
) => {
  const parameters = { id: String(id), ...(friend !== undefined && { friend_id: String(friend) }) };
  const authorization = await bearer(user, scopes);
  const reply = await handler(
    httpEvent({ parameters, authorization, ...(body !== undefined && { body }) }),
    context,
  );
  return { status: reply.statusCode, body: reply.body ? (JSON.parse(reply.body) as unknown) : undefined };
};

describe("a user's friends", () => {
  const [list, add, remove] = [createList(deps), createAdd(deps), createRemove(deps)];

  const nothing = { friends: [], requested: [], requests: [] };
  const friendsOf = async ({ id }: { id: number }) => (await call(list, { user: id })).body;
  const people = () => Promise.all(['Ada', 'Grace'].map(makeUser)) as Promise<[Person, Person]>;
  type Person = Awaited<ReturnType<typeof makeUser>>;

  it('friends: they are asked, accept, and end it, and a second request changes nothing', async () => {
    const [ada, grace] = await people();
    expect(await friendsOf(ada)).toEqual(nothing);
    const ask = { user: ada.id, friend: grace.id };
    for (const _twice of [1, 2]) expect(await call(add, ask)).toEqual({ status: 204, body: undefined });
    expect(await friendsOf(ada)).toEqual({ ...nothing, requested: [{ user_id: grace.id }] });
    expect(await friendsOf(grace)).toEqual({ ...nothing, requests: [{ user_id: ada.id, name: 'Ada' }] });
    for (const _twice of [1, 2]) await call(add, { user: grace.id, friend: ada.id });
    expect(await friendsOf(ada)).toEqual({ ...nothing, friends: [{ user_id: grace.id, name: 'Grace' }] });
    expect(await friendsOf(grace)).toEqual({ ...nothing, friends: [{ user_id: ada.id, name: 'Ada' }] });
    for (const _twice of [1, 2]) expect((await call(remove, ask)).status).toBe(204);
    expect([await friendsOf(ada), await friendsOf(grace)]).toEqual([nothing, nothing]);
  });

  it('friends: a request can be declined, and one that was withdrawn is gone', async () => {
    const [ada, grace] = await people();
    for (const [user, friend] of [
      [grace.id, ada.id],
      [ada.id, grace.id],
    ] as const) {
      await call(add, { user: ada.id, friend: grace.id });
      await call(remove, { user, friend });
      expect([await friendsOf(ada), await friendsOf(grace)]).toEqual([nothing, nothing]);
    }
  });

  it('friends: a user who has not agreed gets no mails about pictures', async () => {
    const [ada, grace] = await people();
    const notify = createNotify({ ...deps, publisher: recordingPublisher() });
    const upload = () => {
      const image_id = uniqueId();
      const body = { image_id, user_id: ada.id, image_path: `originals/${image_id}.jpg` };
      return notify(messageEvent('notify-friends', body));
    };
    await call(add, { user: ada.id, friend: grace.id });
    await upload();
    expect(await mailsTo(grace.email)).toEqual([]);
    await call(add, { user: grace.id, friend: ada.id });
    await upload();
    await expect.poll(() => mailsTo(grace.email)).toHaveLength(1);
  });

  it('friends: adding one reveals no users, by its answer or by the list', async () => {
    const [ada, grace] = await people();
    const stranger = uniqueId();
    const answers = [];
    for (const friend of [grace.id, stranger]) answers.push(await call(add, { user: ada.id, friend }));
    expect(answers[1]).toEqual(answers[0]);
    expect(await friendsOf(ada)).toEqual({
      ...nothing,
      requested: [grace.id, stranger].toSorted((one, other) => one - other).map((user_id) => ({ user_id })),
    });
  });

  it('friends: asking and removing do the same work whether or not the other user exists, so that their time reveals no users', async () => {
    const [ada, grace] = await people();
    const work: string[] = [];
    const observed = db.withPlugin({
      transformQuery({ node }) {
        work.push(JSON.stringify(node));
        return node;
      },
      async transformResult({ result }) {
        work.push(`${result.rows.length} rows, ${result.numAffectedRows} affected`);
        return result;
      },
    });
    const handlers = [createAdd, createAdd, createRemove, createRemove].map((create) =>
      create({ ...deps, db: observed }),
    );
    const workFor = async (friend: number) => {
      work.length = 0;
      for (const handler of handlers) await call(handler, { user: ada.id, friend });
      return work.map((each) => each.replaceAll(String(friend), 'friend'));
    };
    expect(await workFor(uniqueId())).toEqual(await workFor(grace.id));
    expect(work).not.toEqual([]);
    // PostgreSQL itself looks for no user either.
    const { rows } = await sql`select conname from pg_constraint
      join pg_attribute on attrelid = conrelid and attnum = any (conkey)
      where conrelid = 'friendships'::regclass and contype = 'f' and attname = 'friend_id'`.execute(db);
    expect(rows).toEqual([]);
  });

  it('friends: a friend is another user, with an id', async () => {
    const user = (await makeUser('Ada')).id;
    for (const friend of ['abc', '0']) {
      expect(await call(add, { user, friend })).toMatchObject({ status: 404 });
    }
    expect(await call(add, { user, friend: user })).toMatchObject({ status: 422 });
    expect(await call(add, { user: uniqueId(), friend: user })).toMatchObject({ status: 404 });
  });

  it('friends are visible to their user only, and changing them needs the scope', async () => {
    const [ada, grace] = [await makeUser('Ada'), await makeUser('Grace')];
    const others = { user: grace.id, id: ada.id, friend: grace.id };
    for (const handler of [list, add, remove]) expect((await call(handler, others)).status).toBe(403);
    const scopes = ['pictures:write'];
    for (const handler of [add, remove]) {
      expect((await call(handler, { user: ada.id, friend: grace.id, scopes })).status).toBe(403);
    }
    expect((await call(list, { user: ada.id, scopes: [] })).status).toBe(200);
  });
});

describe('unsubscribing from picture mails', () => {
  const unsubscribe = createUnsubscribe(deps);
  const notify = createNotify({ ...deps, publisher: recordingPublisher() });
  const visit = async (url: string, method: 'GET' | 'POST') => {
    const query = Object.fromEntries(new URL(url).searchParams);
    const form = { body: 'List-Unsubscribe=One-Click', contentType: 'application/x-www-form-urlencoded' };
    const reply = await unsubscribe(httpEvent({ method, query, ...(method === 'POST' && form) }), context);
    return { status: reply.statusCode, text: reply.body ?? '', headers: reply.headers ?? {} };
  };
  const pair = async () => {
    const [ada, grace] = [await makeUser('Ada'), await makeUser('Grace')];
    const rows = [
      { user_id: ada.id, friend_id: grace.id },
      { user_id: grace.id, friend_id: ada.id },
    ];
    await db.insertInto('friendships').values(rows).execute();
    return { ada, grace };
  };
  const upload = async (user_id: number) => {
    const image_id = uniqueId();
    await notify(
      messageEvent('notify-friends', { image_id, user_id, image_path: `originals/${image_id}.jpg` }),
    );
  };
  const linkIn = (source: string) => /^List-Unsubscribe: <([^>]+)>/im.exec(source)?.[1] ?? '';

  it('works by the link in the mail, after a question, and stops later mails', async () => {
    const { ada, grace } = await pair();
    await upload(ada.id);
    await expect.poll(() => mailsTo(grace.email)).toHaveLength(1);
    const [mail = await Promise.reject(new Error('no mail'))] = await mailsTo(grace.email);
    const source = (await sourceOf(mail)).replace(/\r?\n[ \t]+/g, ' ');
    const link = linkIn(source);
    expect(source).toMatch(/^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r?$/im);
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/unsubscribe\?token=[\w.-]+$/);
    expect(link.startsWith(stack.PUBLIC_URL)).toBe(true);
    expect([mail.text.includes(link), mail.html.includes(link)]).toEqual([true, true]);

    // A program that scans mails follows the link.
    const asked = await visit(link, 'GET');
    expect([asked.status, asked.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(asked.text).toMatch(/<form method="post"><button>Unsubscribe<\/button><\/form>/);
    await upload(ada.id);
    await expect.poll(() => mailsTo(grace.email)).toHaveLength(2);

    for (const _twice of [1, 2]) {
      expect(await visit(link, 'POST')).toMatchObject({
        status: 200,
        text: expect.stringContaining('You have unsubscribed'),
      });
    }
    await upload(ada.id);
    const row = () => db.selectFrom('mails').select('key').where('user_id', '=', grace.id).execute();
    expect(await row()).toHaveLength(2);

    const mails = createMails(deps);
    const back = { user: grace.id, body: { pictures: true } };
    expect(await call(mails, back)).toEqual({ status: 200, body: { pictures: true } });
    await upload(ada.id);
    await expect.poll(() => mailsTo(grace.email)).toHaveLength(3);
    await call(mails, { user: grace.id, body: { pictures: false } });
    await upload(ada.id);
    expect(await row()).toHaveLength(3);
  });

  it('shows a page without scripts that may only submit its form to its own origin', async () => {
    const page = await visit(await deps.unsubscribeLink(uniqueId()), 'GET');
    const policy = String(page.headers['Content-Security-Policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).toMatch(/style-src 'sha256-/);
    // On a development machine the form must not be sent to https.
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(page.text).not.toContain('<script');
    expect(page.headers['Referrer-Policy']).toBe('no-referrer');
  });

  it('a token that is forged, for another purpose, or without a user is refused', async () => {
    const user = (await makeUser('Ada')).id;
    const signed = (secret: string, claims: object, audience = 'warren:picture-mails') =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setAudience(audience)
        .sign(new TextEncoder().encode(secret));
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: String(user), aud: 'warren:picture-mails' };
    const tokens = [
      '',
      'abc',
      'a.b.c',
      `${part({ alg: 'none' })}.${part(claims)}.`,
      await signed(stack.AUTH_JWT_SECRET, claims),
      await signed(stack.UNSUBSCRIBE_SECRET, claims, 'something else'),
      await signed(stack.UNSUBSCRIBE_SECRET, { sub: 'ada' }),
      (await bearer(user)).replace('Bearer ', ''),
    ];
    for (const token of tokens) {
      const reply = await visit(`http://x/unsubscribe?token=${token}`, 'POST');
      expect(reply, token).toMatchObject({ status: 400, text: expect.stringContaining('not complete') });
    }
    const row = db.selectFrom('users').select('picture_mails').where('id', '=', user);
    expect(await row.executeTakeFirst()).toEqual({ picture_mails: true });
  });

  it('the token of a link is no bearer token', async () => {
    const token = await deps.tokens.sign((await makeUser('Ada')).id);
    await expect(deps.authenticate(`Bearer ${token}`)).rejects.toMatchObject({ status: 401 });
  });

  it('can be reversed only by the user, who has to exist', async () => {
    const mails = createMails(deps);
    const [user, other] = [(await makeUser('Ada')).id, (await makeUser('Grace')).id];
    const body = { pictures: false };
    expect((await call(mails, { user, id: other, body })).status).toBe(403);
    expect((await call(mails, { user, body, scopes: [] })).status).toBe(403);
    expect((await call(mails, { user, body: { pictures: 'no' } })).status).toBe(422);
    expect((await call(mails, { user: uniqueId(), body })).status).toBe(404);
  });
});
