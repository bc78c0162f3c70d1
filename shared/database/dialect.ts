import { type DialectAdapter, PostgresAdapter, PostgresDialect } from 'kysely';

/**
 * PostgreSQL without Kysely's lock of migrations, which belongs to a session: behind a pooler, the unlock may reach another session, and
 * every later migration waits. `migrateToLatest` has a lock that belongs to a transaction.
 */
export class TransactionalDialect extends PostgresDialect {
  override createAdapter(): DialectAdapter {
    return new LocklessAdapter();
  }
}

class LocklessAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}
