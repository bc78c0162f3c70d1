import { type Kysely, sql } from 'kysely';

/**
 * How much of a limit each user has used up. Unlogged: no write waits for the disk, and what a crash of the server loses was
 * only to a user's disadvantage.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create unlogged table rate_limits (
    action text not null,
    user_id bigint not null,
    used_until timestamptz not null,
    primary key (action, user_id)
  )`.execute(db);
}
