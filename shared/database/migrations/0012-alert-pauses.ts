import { type Kysely, sql } from 'kysely';

/** Channels that have asked to be left alone, by the `Retry-After` of an answer. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('alert_pauses')
    .addColumn('queue', 'text', (column) => column.primaryKey())
    .addColumn('until', 'timestamptz', (column) => column.notNull())
    // The alert of the backlog that was answered, null for one that was not in it, and how often in a row.
    .addColumn('alert_id', 'bigint')
    .addColumn('times', 'integer', (column) => column.notNull().defaultTo(sql`1`))
    .execute();
}
