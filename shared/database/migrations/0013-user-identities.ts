import { type Kysely, sql } from 'kysely';

/**
 * Users of token issuers. A user may have several identities, and an identity has one user. An issuer's tokens need not have a mail
 * address, so that a user may have none.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Ids that our own tokens name are smaller.
  await sql`create sequence user_ids as bigint start 1000000000000 maxvalue ${sql.lit(Number.MAX_SAFE_INTEGER)}`.execute(
    db,
  );
  // Ids below are for walkers that were inserted with one, as the samples are.
  await sql`select setval(pg_get_serial_sequence('walkers', 'id'), greatest(max(id), 1000)) from walkers`.execute(
    db,
  );
  await sql`alter table users alter column id set default nextval('user_ids')`.execute(db);
  await sql`alter table users alter column email drop not null`.execute(db);
  await db.schema
    .createTable('user_identities')
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('user_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addPrimaryKeyConstraint('user_identities_pkey', ['issuer', 'subject'])
    .execute();
  await db.schema.createIndex('user_identities_user').on('user_identities').column('user_id').execute();
}
