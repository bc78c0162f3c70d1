import { type Kysely, sql } from 'kysely';
import type { LeaseOptions } from 'warren/effects';
import { effectsOn } from '../database/effects.ts';
import type { Database } from '../database/schema.ts';
import type { Mail, MailerLike } from './mail.ts';
import { textHash } from './text-hash.ts';

export interface SendOptions extends LeaseOptions {
  db: Kysely<Database>;
  /** Identifies the mail or text message by its subject matter and recipient. */
  key: string;
  recipient: string;
}

export interface OnceOptions extends Omit<SendOptions, 'recipient'> {
  mailer: MailerLike;
  mail: Omit<Mail, 'messageId'>;
}

/**
 * Sends a mail unless it was sent before, like `sendLeased`. A repeated mail has the same Message-ID.
 *
 * @throws the errors of `sendLeased` and `MailerLike.send`.
 */
export async function sendOnce({ mailer, mail, ...options }: OnceOptions): Promise<'sent' | 'sent before'> {
  const messageId = messageIdOf(options.key);
  const recipient = typeof mail.to === 'string' ? mail.to : mail.to.address;
  return sendLeased({ ...options, recipient }, (signal) => mailer.send({ ...mail, messageId }, signal));
}

/**
 * Sends something unless it was sent before, by a lease (`Effects.leased`), and records it in `mails`. It is sent again if the
 * process dies before it is recorded, or if the database is unavailable for more than 40 seconds at that point.
 *
 * @param send throws UnavailableError when its signal aborts, because it takes too long.
 * @returns whether it was sent now or before.
 * @throws LeasedError if another delivery holds the lease; and the errors of `send`.
 */
export async function sendLeased(
  { db, key, recipient, ...options }: SendOptions,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<'sent' | 'sent before'> {
  const { sent_at } = await db
    .insertInto('mails')
    .values({ key, recipient })
    // An update of nothing, because only then the row is returned.
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ key }))
    .returning('sent_at')
    .executeTakeFirstOrThrow();
  // Leases are removed by age, and the version before this had none.
  if (sent_at) return 'sent before';
  const { done } = await effectsOn(db).leased(key, send, options);
  // If this fails, the next delivery finds the lease done, and records it.
  await db
    .updateTable('mails')
    .set({ sent_at: sql<Date>`now()` })
    .where('key', '=', key)
    .where('sent_at', 'is', null)
    .execute();
  return done === 'now' ? 'sent' : 'sent before';
}

/** Returns the Message-ID for a key. Each attempt has the same, so that a mail system can recognize a duplicate. */
export function messageIdOf(key: string): string {
  return `<${textHash(key).slice(0, 40)}@warren.invalid>`;
}
