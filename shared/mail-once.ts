import { createHash, randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import pRetry from 'p-retry';
import type { Database } from './database/schema.ts';
import { UnavailableError } from './errors.ts';
import type { Mail, MailerLike } from './mail.ts';

export interface ClaimOptions {
  db: Kysely<Database>;
  /** Names the mail or text message: what it is about and who gets it. */
  key: string;
  recipient: string;
  /** The picture it is about and the user who gets it, where it is about one. */
  about?: { pictureId: number; userId: number } | undefined;
  /** How long a delivery may take to send it, in milliseconds, default 60000; then another one may. */
  leaseMs?: number | undefined;
}

export interface OnceOptions extends Omit<ClaimOptions, 'recipient'> {
  mailer: MailerLike;
  mail: Omit<Mail, 'messageId'>;
}

/**
 * Sends a mail that was not sent yet, as `claimAndSend`: one that is sent again has the same Message-ID.
 *
 * @throws as `claimAndSend` and `MailerLike.send`.
 */
export async function sendOnce({ mailer, mail, ...claim }: OnceOptions): Promise<'sent' | 'sent before'> {
  const messageId = messageIdOf(claim.key);
  return claimAndSend({ ...claim, recipient: mail.to }, () => mailer.send({ ...mail, messageId }));
}

/** What is sent can't be taken back: a database that is away is waited for, for as long as the functions have time. */
const writingDown = { retries: Infinity, maxRetryTime: 40_000, minTimeout: 200, maxTimeout: 2000 };

/**
 * Sends what was not sent yet. A row for each mail is claimed for a while before it is sent, so that two deliveries of one
 * message, even at the same moment, send it once; no transaction is held meanwhile. A process that dies between sending and
 * writing that down leaves a mail that is sent again, and so does a database that is away for more than 40 seconds then.
 *
 * @returns whether it was sent now, or had been already.
 * @throws UnavailableError where another delivery holds the claim; and what `send` throws.
 */
export async function claimAndSend(
  options: ClaimOptions,
  send: () => Promise<void>,
): Promise<'sent' | 'sent before'> {
  const { db, key } = options;
  const claim = await claimMail(options);
  if (claim === undefined) return 'sent before';
  const claimed = db.updateTable('mails').where('key', '=', key).where('claim', '=', claim);
  try {
    await send();
  } catch (error) {
    // The next try need not wait for the claim to run out. If this fails too, it waits.
    await claimed
      .set({ claimed_until: sql<Date>`now()` })
      .execute()
      .catch(() => undefined);
    throw error;
  }
  await pRetry(() => claimed.set({ sent_at: sql<Date>`now()` }).execute(), {
    ...writingDown,
    shouldRetry: ({ error }) => error instanceof UnavailableError,
  });
  return 'sent';
}

async function claimMail(options: ClaimOptions): Promise<string | undefined> {
  const { db, key, recipient, about, leaseMs = 60_000 } = options;
  const claim = randomUUID();
  // The database's clock, which is the same for all.
  const lease = { claim, claimed_until: sql<Date>`now() + ${leaseMs} * interval '1 millisecond'` };
  const result = await db
    .insertInto('mails')
    .values({
      key,
      recipient,
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
  throw new UnavailableError('mail', 'another delivery is sending this right now');
}

/** The same for every try, so that a mail system that gets it twice can tell. */
function messageIdOf(key: string): string {
  return `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@warren.invalid>`;
}
