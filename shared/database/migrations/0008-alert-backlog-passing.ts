import { type Kysely, sql } from 'kysely';

/** Alerts that fail while others of their backlog are delivered are passed by and retried on their own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('alert_backlog')
    .addColumn('joined_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0))
    // Null for an alert that waits for its turn.
    .addColumn('retry_at', 'timestamptz')
    .execute();
}
