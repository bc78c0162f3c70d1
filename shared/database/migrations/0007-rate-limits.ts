import { type Kysely, sql } from 'kysely';

/**
 * The used part of each user's limits. The table is unlogged, so that no write waits for the disk; after a crash of the server
 * every user has the whole limit again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create unlogged table rate_limits (
    action text not null,
    user_id bigint not null,
    used_until timestamptz not null,
    primary key (action, user_id)
  )`.execute(db);
}
