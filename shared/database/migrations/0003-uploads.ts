import { type Kysely, sql } from 'kysely';

/** Tables and columns for requests that are sent twice, later announcements, deleted pictures and unsubscribing. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    // A hash of what was asked for.
    .addColumn('request', 'text', (column) => column.notNull())
    // Kept for the picture that the request makes: a second try after a crash goes on with the same one.
    .addColumn('picture_id', 'bigint', (column) => column.notNull().defaultTo(sql`nextval('picture_ids')`))
    .addColumn('claim', 'uuid', (column) => column.notNull())
    .addColumn('claimed_until', 'timestamptz', (column) => column.notNull())
    .addColumn('reply', 'json')
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addPrimaryKeyConstraint('idempotency_keys_pkey', ['user_id', 'key'])
    .execute();
  await db.schema.createIndex('idempotency_keys_age').on('idempotency_keys').column('created_at').execute();

  await db.schema
    .alterTable('pictures')
    // Until when a function has the lease to announce it.
    .addColumn('announcing_until', 'timestamptz')
    // When nothing of a deleted picture was left in the bucket.
    .addColumn('removed_at', 'timestamptz')
    .execute();
  await sql`create index pictures_leftovers on pictures (id) where deleted_at is not null and removed_at is null`.execute(
    db,
  );
  // An original that several pictures of foreign publishers share goes with the last of them.
  await db.schema.createIndex('pictures_image_path').on('pictures').column('image_path').execute();

  await db.schema
    .alterTable('users')
    .addColumn('picture_mails', 'boolean', (column) => column.notNull().defaultTo(true))
    .execute();
}
