import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** A friend who wants mails about pictures. */
export interface Friend {
  id: number;
  name: string;
  email: string;
}

/** A user's friends, without those who have unsubscribed from mails about pictures. */
export async function mailedFriends(db: Db, userId: number): Promise<Friend[]> {
  return db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .select(['users.id', 'users.name', 'users.email'])
    .where('friendships.user_id', '=', userId)
    .where('users.picture_mails', '=', true)
    .execute();
}

/**
 * A user's friends, by id and name. The name is null unless the friend has added the user too; otherwise anyone could ask for the
 * name of any id. There are no addresses, because those are for the mails only.
 */
export async function listFriends(
  db: Db,
  userId: number,
): Promise<{ user_id: number; name: string | null }[]> {
  return db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .leftJoin('friendships as back', (join) =>
      join.onRef('back.user_id', '=', 'users.id').onRef('back.friend_id', '=', 'friendships.user_id'),
    )
    .select('users.id as user_id')
    .select(({ eb }) =>
      eb.case().when('back.user_id', 'is not', null).then(eb.ref('users.name')).end().as('name'),
    )
    .where('friendships.user_id', '=', userId)
    .orderBy('name')
    .orderBy('user_id')
    .execute();
}

/**
 * Adds a friend to a user. If the friend was added before, nothing changes.
 *
 * @returns the id that is no user's, if any; then nothing was added.
 */
export async function addFriend(db: Db, userId: number, friendId: number): Promise<number | undefined> {
  const known = await db.selectFrom('users').select('id').where('id', 'in', [userId, friendId]).execute();
  const missing = [friendId, userId].find((each) => !known.some(({ id }) => id === each));
  if (missing !== undefined) return missing;
  await db
    .insertInto('friendships')
    .values({ user_id: userId, friend_id: friendId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return undefined;
}

/** Removes a friend from a user. Without that friend, nothing changes. */
export async function removeFriend(db: Db, userId: number, friendId: number): Promise<void> {
  await db
    .deleteFrom('friendships')
    .where('user_id', '=', userId)
    .where('friend_id', '=', friendId)
    .execute();
}

/** The name of a user; a text with the id for a user without a row. */
export async function userName(db: Db, userId: number): Promise<string> {
  const user = await db.selectFrom('users').select('name').where('id', '=', userId).executeTakeFirst();
  return user?.name ?? `User ${userId}`;
}

/** Records whether a user wants mails about friends' pictures. Returns false if there is no such user. */
export async function setPictureMails(db: Db, userId: number, wanted: boolean): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('users')
    .set({ picture_mails: wanted })
    .where('id', '=', userId)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
