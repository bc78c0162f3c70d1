import type { EffectsDatabase } from './database.ts';

/**
 * The tables of the inbox, the outbox and the leases, as statements of PostgreSQL 12 and later for your own migrations. Each may
 * run again.
 */
export const effectsTables: readonly string[] = [
  `create table if not exists warren_inbox (
  consumer text not null,
  message text not null,
  done_at timestamptz not null default now(),
  primary key (consumer, message)
)`,
  'create index if not exists warren_inbox_done_at on warren_inbox (done_at)',
  `create table if not exists warren_outbox (
  id text primary key,
  vhost text not null,
  message text not null,
  body text not null,
  failures integer not null default 0,
  error text,
  created_at timestamptz not null default now(),
  due_at timestamptz not null
)`,
  'create index if not exists warren_outbox_due_at on warren_outbox (due_at)',
  `create table if not exists warren_leases (
  key text primary key,
  claim text not null,
  claimed_until timestamptz not null,
  done_at timestamptz
)`,
  'create index if not exists warren_leases_done_at on warren_leases (done_at)',
];

/**
 * Creates the tables, for projects without migrations and for tests.
 *
 * @throws the database's error if the login may not create tables.
 */
export async function createEffectsTables<Tx>({ run }: EffectsDatabase<Tx>): Promise<void> {
  for (const statement of effectsTables) {
    await run(Object.assign([statement], { raw: [statement] }));
  }
}
