import { type Kysely, sql } from 'kysely';

/** Columns of pictures for large uploads, for announcements that must not be lost, and for placeholders. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('pictures')
    // When the broker confirmed the message about it.
    .addColumn('announced_at', 'timestamptz')
    // A picture that was deleted keeps its row, or a message still under way would make it anew.
    .addColumn('deleted_at', 'timestamptz')
    .addColumn('thumbhash', 'text')
    .addColumn('color', 'text')
    .execute();
  await sql`update pictures set announced_at = created_at`.execute(db);
  await sql`alter table pictures drop constraint pictures_status_check`.execute(db);
  await sql`alter table pictures add constraint pictures_status_check
    check (status in ('awaiting', 'uploaded', 'resizing', 'ready', 'failed'))`.execute(db);
  await db.schema.createIndex('pictures_user').on('pictures').columns(['user_id', 'id']).execute();
  await sql`create index pictures_unannounced on pictures (created_at) where announced_at is null`.execute(
    db,
  );
}
