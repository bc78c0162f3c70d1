import { type Kysely, sql } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import { messageIdOf } from '../../shared/delivery/mail-once.ts';
import { withoutBrackets } from './mailbox.ts';
import type { SendingRecords } from './mails.ts';

/** Makes the database record each claim of a mail, and whether its row had already recorded that the mail was sent. */
export async function watchSendings(db: Kysely<Database>): Promise<void> {
  // A row of its own for what was sent: the lease of the mail is what is on trial.
  await sql`create table sendings (key text not null, what text not null, id bigserial)`.execute(db);
  await sql`create index on sendings (key)`.execute(db);
  await sql`create function note_sending() returns trigger language plpgsql as $$ begin
      if tg_op = 'INSERT' or new.claim is distinct from old.claim then
        insert into sendings (key, what) select new.key, case when exists (
          select from sendings where key = new.key and what = 'sent') then 'claimed after sent' else 'claimed' end;
      end if;
      if new.done_at is not null and (tg_op = 'INSERT' or old.done_at is distinct from new.done_at) then
        insert into sendings (key, what) values (new.key, 'sent');
      end if;
      return new; end $$`.execute(db);
  await sql`create trigger note_sending after insert or update on warren_leases for each row
    execute function note_sending()`.execute(db);
}

export async function readSendings(db: Kysely<Database>): Promise<SendingRecords> {
  const { rows } = await sql<{ key: string; claims: number; after: number }>`
    select key, count(*) filter (where what <> 'sent')::int as claims,
      count(*) filter (where what = 'claimed after sent')::int as after
    from sendings group by key`.execute(db);
  return new Map(
    rows.map(({ key, claims, after }) => [
      withoutBrackets(messageIdOf(key)),
      { claims, claimsAfterSent: after },
    ]),
  );
}
