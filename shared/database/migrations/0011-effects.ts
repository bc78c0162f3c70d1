import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { effectsTables } from 'warren/effects';

/**
 * The tables of `warren/effects`. A mail's lease moves from its row to `warren_leases`; the columns of the row stay for functions of
 * the version before, and get defaults. Leases that such a function holds now are copied, so that no other takes them over.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of effectsTables) await sql.raw(statement).execute(db);
  await sql`alter table mails alter column claim set default gen_random_uuid()`.execute(db);
  await sql`alter table mails alter column claimed_until set default now()`.execute(db);
  await sql`insert into warren_leases (key, claim, claimed_until)
    select key, claim::text, claimed_until from mails where sent_at is null
    on conflict do nothing`.execute(db);
}
