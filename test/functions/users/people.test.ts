/** The commands for people, on the real database and storage. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { exportPerson, forgetPerson } from '../../../deploy/people/person.ts';
import { authenticateUsers } from '../../../shared/auth/identities.ts';
import { bookWalk, bookWash, ensureBooking } from '../../../shared/bookings/booking.ts';
import { notifyDeclined } from '../../../shared/bookings/notify.ts';
import { addWalker, listWalkers, removeWalker } from '../../../shared/bookings/walkers.ts';
import { listAccounts, saveAccount } from '../../../shared/users/accounts.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { stack } from '../../support/stack.ts';
import { startWarren } from '../../support/warren-command.ts';

const deps = openDeps();
const { db, storage } = deps;
afterAll(() => deps.close());

const issuer = 'https://issuer.example.com';
const identity = () => ({ issuer, subject: `auth0|${randomUUID()}` });
const email = () => `${randomUUID()}@example.com`;

/** A user with rows in every table that names users, and with objects in the bucket. */
async function lived() {
  const [friend, order] = [uniqueId(), randomUUID()];
  const [address, known] = [email(), identity()];
  const id = await saveAccount(db, { name: 'Ada', email: address, identity: known });
  const image_path = `originals/${randomUUID()}.jpg`;
  const { id: picture } = await db
    .insertInto('pictures')
    .values({ user_id: id, image_path, status: 'ready', thumbhash: 'AAAA', color: '#102030' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const variant = `pictures/${picture}/320.webp`;
  for (const object of [image_path, variant]) await storage.put(object, Buffer.from('x'), 'image/jpeg');
  const size = { width: 320, height: 200, bytes: 1 };
  await db
    .insertInto('variants')
    .values({ picture_id: picture, format: 'webp', key: variant, ...size })
    .execute();
  await db
    .insertInto('friendships')
    .values([
      { user_id: id, friend_id: friend },
      { user_id: id, friend_id: id + 1 },
    ])
    .execute();
  await db
    .insertInto('points_entries')
    .values({ user_id: id, picture_id: picture, reason: 'upload', points: 10 })
    .execute();
  await db
    .insertInto('picture_notices')
    .values([
      { picture_id: picture, user_id: friend, from_user: id },
      { picture_id: picture + 1, user_id: id, from_user: friend },
    ])
    .execute();
  await db
    .insertInto('mails')
    .values([
      { key: `pictures:${id}:${randomUUID()}`, recipient: address, user_id: id },
      { key: `walk:${order}:declined`, recipient: address },
    ])
    .execute();
  await db.insertInto('upload_log').values({ picture_id: picture, user_id: id, image_path }).execute();
  const lease = { claim: randomUUID(), claimed_until: new Date() };
  await db
    .insertInto('idempotency_keys')
    .values({ user_id: id, key: 'k', request: 'r', reply: '{"dog":"Pepe"}', ...lease })
    .execute();
  return { id, friend, address, known, picture, image_path, variant };
}

const walk = (user_id: number, days: number, dog = 'Pepe') => {
  const starts_at = new Date(Date.now() + days * 86_400_000);
  const ends_at = new Date(starts_at.getTime() + 1_800_000);
  return { id: randomUUID(), service: 'walk', user_id, dog, starts_at, ends_at } as const;
};

describe('users', () => {
  it('a user is added once, changed by the id, and becomes the person whom an issuer knows', async () => {
    const known = identity();
    const id = await saveAccount(db, { name: 'Ada', email: 'ada@example.com' });
    expect(await saveAccount(db, { id, name: 'Ada Lovelace', identity: known })).toBe(id);
    expect(await saveAccount(db, { id, identity: known })).toBe(id);
    expect(await listAccounts(db, { after: id - 1, limit: 1 })).toEqual([
      { id, name: 'Ada Lovelace', email: 'ada@example.com', picture_mails: true, identities: [known] },
    ]);
    const check = authenticateUsers(
      async () => ({
        key: `${issuer} ${known.subject}`,
        scopes: new Set<string>(),
        identity: { ...known, name: null, email: null },
      }),
      db,
    );
    expect((await check('')).id).toBe(id);
  });

  it('a new user without a name, or with the identity of another user, is refused and not stored', async () => {
    const known = identity();
    await saveAccount(db, { name: 'Ada', identity: known });
    const id = uniqueId();
    await expect(saveAccount(db, { id })).rejects.toMatchObject({ code: 'ERR_APP_ACCOUNT' });
    const taken = saveAccount(db, { id, name: 'Eve', identity: known });
    await expect(taken).rejects.toMatchObject({ code: 'ERR_APP_ACCOUNT' });
    expect(await listAccounts(db, { after: id - 1, limit: 1 })).not.toMatchObject([{ id }]);
  });

  it('an export has every row about the user, and none of another user', async () => {
    const { id, known, address } = await lived();
    const stored = await exportPerson(db, id);
    expect(Object.fromEntries(Object.entries(stored).map(([table, rows]) => [table, rows.length]))).toEqual({
      users: 1,
      user_identities: 1,
      friendships: 2,
      pictures: 1,
      variants: 1,
      points_entries: 1,
      picture_notices: 2,
      mails: 2,
      upload_log: 1,
      bookings: 0,
      idempotency_keys: 1,
      rate_limits: 0,
    });
    expect(JSON.stringify(stored)).toContain(known.subject);
    expect(stored.users).toMatchObject([{ id, email: address }]);
  });

  it('a user with more pictures than a statement has parameters is exported', async () => {
    const id = uniqueId();
    await sql`insert into pictures (user_id, image_path)
      select ${id}, 'originals/' || n from generate_series(1, 66000) as n`.execute(db);
    expect((await exportPerson(db, id)).pictures).toHaveLength(66_000);
    await db.deleteFrom('pictures').where('user_id', '=', id).execute();
  });

  it('an export covers every column of the database that can name a user', async () => {
    // The database itself lists them, so that a new table is not forgotten.
    const { rows } = await sql<{ table_name: string }>`
      select distinct table_name from information_schema.columns
      where table_schema = 'public' and column_name in ('user_id', 'friend_id', 'from_user', 'recipient')`.execute(
      db,
    );
    const exported = Object.keys(await exportPerson(db, uniqueId()));
    expect(rows.map(({ table_name }) => table_name).filter((name) => !exported.includes(name))).toEqual([]);
  });

  it('a forgotten user leaves no row, no object and no identity, and a second call changes nothing', async () => {
    const { id, picture, image_path, variant, address, known, friend } = await lived();
    const past = await ensureBooking(db, walk(id, -2), { status: 'booked', walker_name: 'Ken' });
    const forgotten = await forgetPerson({ db, storage }, id);
    expect(forgotten).toMatchObject({ pictures: 1, canceled: [] });
    const { pictures, ...rest } = await exportPerson(db, id);
    expect(
      Object.entries(rest)
        .filter(([, rows]) => rows.length > 0)
        .map(([table]) => table),
    ).toEqual([]);
    // Messages in flight need the row; it describes the picture no more.
    expect(pictures).toMatchObject([
      { id: picture, thumbhash: null, color: null, deleted_at: expect.any(Date) },
    ]);
    for (const object of [image_path, variant]) expect(await storage.size(object)).toBeUndefined();
    const everywhere = JSON.stringify(await exportPerson(db, friend));
    expect(everywhere).not.toContain(address);
    expect(
      await db.selectFrom('user_identities').selectAll().where('subject', '=', known.subject).execute(),
    ).toEqual([]);
    const booking = db.selectFrom('bookings').selectAll().where('id', '=', past.id);
    expect(await booking.executeTakeFirst()).toMatchObject({ user_id: 0, dog: '', status: 'booked' });
    expect(await forgetPerson({ db, storage }, id)).toMatchObject({ canceled: [] });
  });

  it('a forgotten user is not stored again by the message of an order, and walkers of later walks are named', async () => {
    const { id } = await lived();
    const [waiting, later] = [walk(id, 3), walk(id, 4)];
    await ensureBooking(db, waiting);
    const booked = await bookWalk(db, later);
    const { canceled } = await forgetPerson({ db, storage }, id);
    expect(canceled).toEqual([{ walker: booked.walker_name, starts_at: later.starts_at }]);
    expect(await bookWash(db, waiting, later.id)).toMatchObject({ status: 'declined' });
    for (const order of [waiting, later]) {
      const row = await bookWalk(db, order);
      expect(row).toMatchObject({ status: 'declined', user_id: 0, dog: '', walker_id: null });
      await notifyDeclined(deps, order);
    }
    expect((await exportPerson(db, id)).bookings).toEqual([]);
  });

  it('a storage that fails leaves the user, so that the command can be repeated', async () => {
    const { id, image_path } = await lived();
    const broken = { ...storage, remove: () => Promise.reject(new Error('storage')) };
    await expect(forgetPerson({ db, storage: broken }, id)).rejects.toThrow('storage');
    expect((await exportPerson(db, id)).users).toHaveLength(1);
    await forgetPerson({ db, storage }, id);
    expect((await exportPerson(db, id)).users).toEqual([]);
    expect(await storage.size(image_path)).toBeUndefined();
  });
});

describe('walkers', () => {
  const details = () => ({ name: 'Test Walker', email: email(), phone: null });

  it('a walker is added and listed, and removed with the name in past walks', async () => {
    const walker = details();
    const id = await addWalker(db, walker);
    expect(await listWalkers(db)).toContainEqual({ id, ...walker });
    const past = await ensureBooking(db, walk(uniqueId(), -3), {
      status: 'booked',
      walker_name: walker.name,
    });
    await db.updateTable('bookings').set({ walker_id: id }).where('id', '=', past.id).execute();
    await db
      .insertInto('mails')
      .values({ key: `walk:${past.id}:walker`, recipient: walker.email })
      .execute();
    expect(await removeWalker(db, id)).toBe(true);
    expect(await removeWalker(db, id)).toBe(false);
    const booking = db.selectFrom('bookings').selectAll().where('id', '=', past.id);
    expect(await booking.executeTakeFirst()).toMatchObject({ walker_id: null, walker_name: null });
    expect(await db.selectFrom('mails').selectAll().where('recipient', '=', walker.email).execute()).toEqual(
      [],
    );
  });

  it('a walker who has a walk ahead is not removed', async () => {
    const id = await addWalker(db, details());
    const ahead = await ensureBooking(db, walk(uniqueId(), 300));
    await db
      .updateTable('bookings')
      .set({ walker_id: id, status: 'booked' })
      .where('id', '=', ahead.id)
      .execute();
    await expect(removeWalker(db, id)).rejects.toMatchObject({ code: 'ERR_APP_WALKER_BUSY' });
    await db.deleteFrom('bookings').where('id', '=', ahead.id).execute();
    expect(await removeWalker(db, id)).toBe(true);
  });
});

describe('the commands', () => {
  const run = async (...args: string[]) => startWarren([...args], { ...stack });

  it('a wrong mail address of a user is refused, and walkers are listed', async () => {
    const [added, walkers] = await Promise.all([
      run('users', 'add', '--email', 'no'),
      run('walkers', 'list'),
    ]);
    expect(added.err).toContain('expected a mail address');
    expect(walkers.out).toContain('Margaret');
  });

  it('add, list, export and forget a user by hand, and forget only with --yes', async () => {
    const known = identity();
    const options = ['--subject', known.subject, '--issuer', issuer, '--email', email()];
    const added = await run('--json', 'users', 'add', '--name', 'Ada', ...options);
    const { id } = JSON.parse(added.out) as { id: number };
    const [listed, exported, kept] = await Promise.all([
      run('users', 'list', '--after', String(id - 1)),
      run('users', 'export', String(id)),
      run('users', 'forget', String(id)),
    ]);
    expect(listed.out).toContain(known.subject);
    expect(JSON.parse(exported.out)).toMatchObject({ users: [{ id, name: 'Ada' }] });
    expect(kept).toMatchObject({ code: 1, err: expect.stringContaining('add --yes') });
    const forgotten = await run('users', 'forget', String(id), '--yes');
    expect(forgotten).toMatchObject({ code: 0, out: expect.stringContaining(`user ${id} is forgotten`) });
  });
});
