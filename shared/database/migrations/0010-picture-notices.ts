import { type Kysely, sql } from 'kysely';

/**
 * A notice is a picture that a friend is notified of: in a mail of its own, or in a digest. Mails that exist become notices, so that
 * no picture is mailed again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('picture_notices')
    .addColumn('picture_id', 'bigint', (column) => column.notNull())
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('from_user', 'bigint', (column) => column.notNull())
    .addColumn('noted_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    // Null until the notice is part of a mail.
    .addColumn('mail_key', 'text')
    .addPrimaryKeyConstraint('picture_notices_pkey', ['picture_id', 'user_id'])
    .execute();
  await sql`create index picture_notices_waiting on picture_notices (user_id, noted_at) where mail_key is null`.execute(
    db,
  );
  await db.schema.createIndex('picture_notices_mail').on('picture_notices').column('mail_key').execute();
  // Null for older mails.
  await sql`alter table mails add column made_at timestamptz`.execute(db);
  await sql`alter table mails alter column made_at set default now()`.execute(db);
  await db.schema.createIndex('mails_user').on('mails').columns(['user_id', 'made_at']).execute();
  await sql`insert into picture_notices (picture_id, user_id, from_user, mail_key)
    select mails.picture_id, mails.user_id, pictures.user_id, mails.key
    from mails join pictures on pictures.id = mails.picture_id where mails.user_id is not null
    on conflict do nothing`.execute(db);
}
