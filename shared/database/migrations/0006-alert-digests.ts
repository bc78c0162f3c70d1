import { type Kysely, sql } from 'kysely';

/** Alerts that wait for their channel, and those that are the same as others. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('alert_backlog')
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
    // A hash of the alert's key: what producers write into message ids need not be text that PostgreSQL takes.
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('queue', 'text', (column) => column.notNull())
    // json and not jsonb, which refuses U+0000.
    .addColumn('alert', 'json', (column) => column.notNull())
    .addColumn('raised_at', 'timestamptz', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('alert_backlog_oldest')
    .on('alert_backlog')
    .columns(['queue', 'raised_at', 'id'])
    .execute();

  // One row for each key, from its first alert until an interval without any.
  await db.schema
    .createTable('alert_digests')
    .addColumn('queue', 'text', (column) => column.notNull())
    .addColumn('dedup_key', 'text', (column) => column.notNull())
    .addColumn('opened_at', 'timestamptz', (column) => column.notNull())
    // Times of the alerts that no summary has counted yet.
    .addColumn('more', 'integer', (column) => column.notNull())
    .addColumn('first_at', 'timestamptz')
    .addColumn('last_at', 'timestamptz')
    .addColumn('last', 'json', (column) => column.notNull())
    .addColumn('summary_interval', 'integer', (column) => column.notNull())
    .addColumn('due_at', 'timestamptz', (column) => column.notNull())
    .addPrimaryKeyConstraint('alert_digests_pkey', ['queue', 'dedup_key'])
    .execute();
  await db.schema.createIndex('alert_digests_due').on('alert_digests').column('due_at').execute();

  // Makes two deliveries of one message count once.
  await db.schema
    .createTable('alert_seen')
    .addColumn('hash', 'text', (column) => column.primaryKey())
    .addColumn('seen_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .execute();
  await db.schema.createIndex('alert_seen_at').on('alert_seen').column('seen_at').execute();
}
