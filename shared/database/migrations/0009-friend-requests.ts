import { type Kysely, sql } from 'kysely';

/**
 * A row in `friendships` is a request now, and two users are friends if both have a row for the other. Existing rows keep their
 * meaning as far as both users agreed to it: pairs are friends, and a single row becomes a request that the other user may accept.
 * A request may name an id that is no user's, so that its answer reveals no users.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table friendships drop constraint friendships_friend_id_fkey`.execute(db);
  await db.schema.createIndex('friendships_friend').on('friendships').column('friend_id').execute();
}
