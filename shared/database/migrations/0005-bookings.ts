import { type Kysely, sql } from 'kysely';

/**
 * Walkers, and what was ordered of them. As with pictures, no table refers to `users`: any AMQP client may place an order for
 * a user we don't know.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('walkers')
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedByDefaultAsIdentity())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('email', 'text', (column) => column.notNull())
    // The phone number for text messages; null for a walker who gets none.
    .addColumn('phone', 'text')
    .execute();

  await db.schema
    .createTable('bookings')
    // The order's own id, chosen by the function that places it.
    .addColumn('id', 'uuid', (column) => column.primaryKey())
    // Newest first, page by page.
    .addColumn('number', 'bigint', (column) => column.notNull().generatedAlwaysAsIdentity())
    .addColumn('service', 'text', (column) => column.notNull().check(sql`service in ('walk', 'wash')`))
    .addColumn('user_id', 'bigint', (column) => column.notNull())
    .addColumn('dog', 'text', (column) => column.notNull())
    .addColumn('starts_at', 'timestamptz', (column) => column.notNull())
    .addColumn('ends_at', 'timestamptz', (column) => column.notNull())
    .addColumn('status', 'text', (column) =>
      column.notNull().defaultTo('waiting').check(sql`status in ('waiting', 'booked', 'declined')`),
    )
    .addColumn('walker_id', 'bigint', (column) => column.references('walkers.id'))
    // The walker's name, as the customer was notified of it; the only field if another program has booked.
    .addColumn('walker_name', 'text')
    // The walk that comes with a wash.
    .addColumn('walk_id', 'uuid')
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('booked_at', 'timestamptz')
    .execute();
  // A walker has one walk at a time, whatever the code does. A range of one number represents the number itself, which would
  // need the extension btree_gist, and the right to install it.
  await sql`alter table bookings add constraint bookings_one_at_a_time exclude using gist (
    int8range(walker_id, walker_id, '[]') with &&, tstzrange(starts_at, ends_at) with &&
  ) where (walker_id is not null)`.execute(db);
  await db.schema
    .createIndex('bookings_user')
    .on('bookings')
    .columns(['user_id', 'service', 'number'])
    .execute();
  await db.schema.createIndex('bookings_walker').on('bookings').columns(['walker_id', 'starts_at']).execute();

  // Reserved for anything that a request makes without a number of ours: the same for each try with the same key.
  await sql`alter table idempotency_keys add column request_id uuid not null default gen_random_uuid()`.execute(
    db,
  );
}
