import { type Kysely, sql } from 'kysely';

/**
 * When the friends of a picture's owner were notified of it, whether or not they want mails: the owner of a picture must not learn
 * who has unsubscribed. It is null for older pictures.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table pictures add column friends_notified_at timestamptz`.execute(db);
}
