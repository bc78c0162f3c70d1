import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';

/** A friend who wants mails about pictures. */
export interface Friend {
  id: number;
  name: string;
  email: string;
}

/** A user's friends, without those who have unsubscribed from mails about pictures. */
export async function mailedFriends(db: Kysely<Database>, userId: number): Promise<Friend[]> {
  return db
    .selectFrom('friendships')
    .innerJoin('users', 'users.id', 'friendships.friend_id')
    .select(['users.id', 'users.name', 'users.email'])
    .where('friendships.user_id', '=', userId)
    .where('users.picture_mails', '=', true)
    .execute();
}

/** The name of a user; a text with the id for a user without a row. */
export async function userName(db: Kysely<Database>, userId: number): Promise<string> {
  const user = await db.selectFrom('users').select('name').where('id', '=', userId).executeTakeFirst();
  return user?.name ?? `User ${userId}`;
}
