import { createHash, randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Database } from './database/schema.ts';
import { UnavailableError } from './errors.ts';
import type { Mail, MailerLike } from './mail.ts';

export interface OnceOptions {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** Names the mail: what it is about and who gets it. */
  key: string;
  mail: Omit<Mail, 'messageId'>;
  /** The picture it is about and the user who gets it, where it is about one. */
  about?: { pictureId: number; userId: number };
  /** How long a delivery may take to send it, in milliseconds, default 60000; then another one may. */
  leaseMs?: number;
}

/**
 * Sends a mail that was not sent yet. A row for each mail is claimed for a while before it is sent, so that two
 * deliveries of one message, even at the same moment, send it once; no transaction is held meanwhile. A process that
 * dies between sending and writing that down leaves a mail that is sent again, with the same Message-ID.
 *
 * @returns whether it was sent now, or had been already.
 * @throws UnavailableError where another delivery holds the claim, and as `MailerLike.send` does.
 */
export async function sendOnce(options: OnceOptions): Promise<'sent' | 'sent before'> {
  const { db, mailer, key, mail } = options;
  const claim = await claimMail(options);
  if (claim === undefined) return 'sent before';
  const claimed = db.updateTable('mails').where('key', '=', key).where('claim', '=', claim);
  try {
    await mailer.send({ ...mail, messageId: messageIdOf(key) });
  } catch (error) {
    // The next try need not wait for the claim to run out. If this fails too, it waits.
    await claimed
      .set({ claimed_until: sql<Date>`now()` })
      .execute()
      .catch(() => undefined);
    throw error;
  }
  await claimed.set({ sent_at: sql<Date>`now()` }).execute();
  return 'sent';
}

async function claimMail(options: OnceOptions): Promise<string | undefined> {
  const { db, key, mail, about, leaseMs = 60_000 } = options;
  const claim = randomUUID();
  // The database's clock, which is the same for all.
  const lease = { claim, claimed_until: sql<Date>`now() + ${leaseMs} * interval '1 millisecond'` };
  const result = await db
    .insertInto('mails')
    .values({
      key,
      recipient: mail.to,
      picture_id: about?.pictureId ?? null,
      user_id: about?.userId ?? null,
      ...lease,
    })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet(lease)
        .where('mails.sent_at', 'is', null)
        .where('mails.claimed_until', '<=', sql<Date>`now()`),
    )
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 1n) return claim;
  const row = await db.selectFrom('mails').select('sent_at').where('key', '=', key).executeTakeFirst();
  if (row?.sent_at) return undefined;
  throw new UnavailableError('mail', 'another delivery is sending this mail right now');
}

/** The same for every try, so that a mail system that gets it twice can tell. */
function messageIdOf(key: string): string {
  return `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@warren.invalid>`;
}
