import { type Kysely, sql } from 'kysely';

/**
 * No table refers to `users`: any AMQP client may publish a picture of a user we don't know.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'bigint', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('email', 'text', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('friendships')
    .addColumn('user_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('friend_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addPrimaryKeyConstraint('friendships_pkey', ['user_id', 'friend_id'])
    .execute();

  // Ids of foreign publishers lie below.
  await sql`create sequence picture_ids as bigint start 1000000000 maxvalue ${sql.lit(Number.MAX_SAFE_INTEGER)}`.execute(
    db,
  );
  await db.schema
    .createTable('pictures')
    .addColumn('id', 'bigint', (column) => column.primaryKey().defaultTo(sql`nextval('picture_ids')`))
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('image_path', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) =>
      column.notNull().defaultTo('uploaded').check(sql`status in ('uploaded', 'ready', 'failed')`),
    )
    .addColumn('reason', 'text')
    .addColumn('content_type', 'text')
    .addColumn('bytes', 'bigint')
    .addColumn('width', 'integer')
    .addColumn('height', 'integer')
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('updated_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .execute();

  await db.schema
    .createTable('variants')
    .addColumn('picture_id', 'bigint', (column) =>
      column.notNull().references('pictures.id').onDelete('cascade'),
    )
    .addColumn('width', 'integer', (column) => column.notNull())
    .addColumn('height', 'integer', (column) => column.notNull())
    .addColumn('format', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('variants_pkey', ['picture_id', 'width', 'format'])
    .execute();

  await db.schema
    .createTable('points_entries')
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('picture_id', 'bigint', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('points', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    // Makes two deliveries of one message add points once.
    .addUniqueConstraint('points_entries_once', ['picture_id', 'reason'])
    .execute();
  await db.schema
    .createIndex('points_entries_user')
    .on('points_entries')
    .columns(['user_id', 'id'])
    .execute();

  await db.schema
    .createTable('mails')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('recipient', 'text', (column) => column.notNull())
    .addColumn('picture_id', 'bigint')
    .addColumn('user_id', 'bigint')
    .addColumn('claim', 'uuid', (column) => column.notNull())
    .addColumn('claimed_until', 'timestamptz', (column) => column.notNull())
    .addColumn('sent_at', 'timestamptz')
    .execute();
  await db.schema.createIndex('mails_picture').on('mails').column('picture_id').execute();

  await db.schema
    .createTable('upload_log')
    .addColumn('picture_id', 'bigint', (column) => column.primaryKey())
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('image_path', 'text', (column) => column.notNull())
    .addColumn('message_id', 'text')
    .addColumn('logged_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .execute();

  await db.schema
    .createTable('alert_log')
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
    // Null if a foreign producer set none: such an alert may be logged twice.
    .addColumn('message_id', 'text', (column) => column.unique())
    .addColumn('routing_key', 'text')
    // Not jsonb, which refuses the character U+0000 that JSON allows.
    .addColumn('content', 'json', (column) => column.notNull())
    .addColumn('logged_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .execute();
}
