import { setTimeout } from 'node:timers/promises';
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import { connectDatabase } from './database.ts';
import * as initial from './migrations/0001-initial.ts';
import * as pictures from './migrations/0002-pictures.ts';
import * as uploads from './migrations/0003-uploads.ts';
import * as bookings from './migrations/0005-bookings.ts';
import * as alertDigests from './migrations/0006-alert-digests.ts';
import * as rateLimits from './migrations/0007-rate-limits.ts';
import * as alertBacklogPassing from './migrations/0008-alert-backlog-passing.ts';
import * as friendRequests from './migrations/0009-friend-requests.ts';
import * as pictureNotices from './migrations/0010-picture-notices.ts';
import * as effects from './migrations/0011-effects.ts';
import * as alertPauses from './migrations/0012-alert-pauses.ts';
import * as userIdentities from './migrations/0013-user-identities.ts';
import * as friendsNotified from './migrations/0014-friends-notified.ts';
import type { Database } from './schema.ts';

/** Migrations in their order. A released migration is never changed; a change needs a new one. */
const migrations: Record<string, Migration> = {
  '0001-initial': initial,
  '0002-pictures': pictures,
  '0003-uploads': uploads,
  '0005-bookings': bookings,
  '0006-alert-digests': alertDigests,
  '0007-rate-limits': rateLimits,
  '0008-alert-backlog-passing': alertBacklogPassing,
  '0009-friend-requests': friendRequests,
  '0010-picture-notices': pictureNotices,
  '0011-effects': effects,
  '0012-alert-pauses': alertPauses,
  '0013-user-identities': userIdentities,
  '0014-friends-notified': friendsNotified,
};

/**
 * Brings the tables of a database to the form that this code expects. A database that newer code has migrated stays as it is. Several
 * callers at the same time are fine.
 *
 * @param url PostgreSQL URL of a user who may create tables.
 * @returns the names of the migrations that ran now.
 * @throws the database's error for a migration that failed; none of its changes are kept.
 */
export async function migrateToLatest(url: string): Promise<string[]> {
  // One connection holds the lock, in a transaction, while the other one migrates.
  const db = connectDatabase({ url, name: 'warren migrate', connections: 2 });
  const attempt = () =>
    db.transaction().execute(async (transaction) => {
      return (await isAlone(transaction)) ? migrate(db) : undefined;
    });
  try {
    for (;;) {
      const ran = await attempt();
      if (ran) return ran;
      // Between two attempts, it takes no connection of a pooler from the caller that migrates.
      await setTimeout(200);
    }
  } finally {
    await db.destroy();
  }
}

/** Whether no other caller migrates until the transaction ends. */
async function isAlone(transaction: Kysely<Database>): Promise<boolean> {
  const query = sql<{
    alone: boolean;
  }>`select pg_try_advisory_xact_lock(hashtext('warren migrate')) as alone`;
  const { rows } = await query.execute(transaction);
  return rows[0]?.alone === true;
}

/** Migrations in the database that this code does not know, because a newer deployment ran them. */
async function newerMigrations(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{
    exists: boolean;
  }>`select to_regclass('kysely_migration') is not null as exists`.execute(db);
  if (rows[0]?.exists !== true) return [];
  const ran = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  return ran.rows.flatMap(({ name }) => (Object.hasOwn(migrations, name) ? [] : name));
}

async function migrate(db: Kysely<Database>): Promise<string[]> {
  // The way back to older code must not fail: newer tables do not break it.
  if ((await newerMigrations(db)).length > 0) return [];
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }) => migrationName);
}
