/**
 * Friends agree: a user's row in `friendships` is a request, and two users are friends if both have a row for the other. Only
 * friends get mails about each other's pictures.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** A friend who wants mails about pictures. */
export interface Friend {
  id: number;
  name: string;
  email: string;
}

/**
 * A user's friends by id, without those who have no address or have unsubscribed from mails about pictures, and without users who have not agreed.
 *
 * @param range the first and the last id, default all.
 */
export async function mailedFriends(
  db: Db,
  userId: number,
  range: readonly [number, number] = [1, Number.MAX_SAFE_INTEGER],
): Promise<Friend[]> {
  return friendsOf(db, userId)
    .select(['users.id', 'users.name', 'users.email'])
    .$narrowType<{ email: string }>()
    .where('users.email', 'is not', null)
    .where('users.picture_mails', '=', true)
    .where('users.id', '>=', range[0])
    .where('users.id', '<=', range[1])
    .orderBy('users.id')
    .execute();
}

/** The answer to `GET /users/{id}/friends`. There are no addresses, because those are for the mails only. */
export interface Friendships {
  friends: { user_id: number; name: string }[];
  /** Users whom the user has asked. They have no names, and an id here need not be a user's: asking reveals no users. */
  requested: { user_id: number }[];
  /** Users who have asked the user, who may accept or decline. */
  requests: { user_id: number; name: string }[];
}

/** A user's friends, and the requests that wait for an answer. */
export async function listFriends(db: Db, userId: number): Promise<Friendships> {
  const [friends, requested, requests] = await Promise.all([
    friendsOf(db, userId)
      .select(['users.id as user_id', 'users.name'])
      .orderBy('users.name')
      .orderBy('users.id')
      .execute(),
    db
      .selectFrom('friendships')
      .select('friend_id as user_id')
      .where('user_id', '=', userId)
      .where(unanswered)
      .orderBy('friend_id')
      .execute(),
    db
      .selectFrom('friendships')
      .innerJoin('users', 'users.id', 'friendships.user_id')
      .select(['users.id as user_id', 'users.name'])
      .where('friendships.friend_id', '=', userId)
      .where(unanswered)
      .orderBy('users.name')
      .orderBy('users.id')
      .execute(),
  ]);
  return { friends, requested, requests };
}

const friendsOf = (db: Db, userId: number) =>
  db
    .selectFrom('friendships')
    .innerJoin('friendships as back', (join) =>
      join
        .onRef('back.user_id', '=', 'friendships.friend_id')
        .onRef('back.friend_id', '=', 'friendships.user_id'),
    )
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .where('friendships.user_id', '=', userId);

const unanswered = sql<boolean>`not exists (
  select from friendships as answer
  where answer.user_id = friendships.friend_id and answer.friend_id = friendships.user_id
)`;

/**
 * Asks another user to be friends, or accepts that user's request. A second call changes nothing. Whether the other user exists
 * makes no difference.
 *
 * @returns false if there is no user with the id `userId`; then nothing was stored.
 */
export async function requestFriend(db: Db, userId: number, friendId: number): Promise<boolean> {
  const user = await db.selectFrom('users').select('id').where('id', '=', userId).executeTakeFirst();
  if (!user) return false;
  await db
    .insertInto('friendships')
    .values({ user_id: userId, friend_id: friendId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return true;
}

/** Ends a friendship, withdraws a request or declines one. Without any of them, nothing changes. */
export async function removeFriend(db: Db, userId: number, friendId: number): Promise<void> {
  await db
    .deleteFrom('friendships')
    .where((eb) =>
      eb.or([
        eb.and({ user_id: userId, friend_id: friendId }),
        eb.and({ user_id: friendId, friend_id: userId }),
      ]),
    )
    .execute();
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
