import { createHash, randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import pRetry from 'p-retry';
import { UnavailableError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { Mail, MailerLike } from './mail.ts';

/** Another delivery holds the lease and is sending this right now. */
export class ClaimedError extends UnavailableError {
  constructor() {
    super('mail', 'another delivery is sending this right now');
  }
}

export interface ClaimOptions {
  db: Kysely<Database>;
  /** Identifies the mail or text message by its subject matter and recipient. */
  key: string;
  recipient: string;
  /** Time to send and record a mail in milliseconds, default 85000. After that another delivery may send it. */
  leaseMs?: number | undefined;
  /** Time limit for sending alone in milliseconds, default 15000. */
  sendMs?: number | undefined;
}

export interface OnceOptions extends Omit<ClaimOptions, 'recipient'> {
  mailer: MailerLike;
  mail: Omit<Mail, 'messageId'>;
}

/**
 * Sends a mail unless it was sent before, like `claimAndSend`. A repeated mail has the same Message-ID.
 *
 * @throws the errors of `claimAndSend` and `MailerLike.send`.
 */
export async function sendOnce({ mailer, mail, ...claim }: OnceOptions): Promise<'sent' | 'sent before'> {
  const messageId = messageIdOf(claim.key);
  const recipient = typeof mail.to === 'string' ? mail.to : mail.to.address;
  return claimAndSend({ ...claim, recipient }, (signal) => mailer.send({ ...mail, messageId }, signal));
}

/** Time limit of a statement in milliseconds: connection (4 s) and query (11 s), as in `database.ts`. */
const statementMs = 15_000;

/** Time limit for sending in milliseconds, for each channel. */
const defaultSendMs = 15_000;

/** A sent mail cannot be undone, so an unavailable database is retried for as long as the functions have time. */
const recordRetries = { retries: Infinity, maxRetryTime: 40_000, minTimeout: 200, maxTimeout: 2000 };

/** Covers the time from the claim to the last attempt to record the mail. No other delivery sends it meanwhile. */
const defaultLeaseMs = statementMs + defaultSendMs + recordRetries.maxRetryTime + statementMs;

/**
 * Sends something unless it was sent before. A lease on its row comes first, so that two deliveries of one message send it
 * once, even at the same moment. No transaction is held meanwhile. It is sent again if the process dies before it is
 * recorded, or if the database is unavailable for more than 40 seconds at that point.
 *
 * @param send throws UnavailableError when its signal aborts, because it takes too long.
 * @returns whether it was sent now or before.
 * @throws ClaimedError if another delivery holds the lease; and the errors of `send`.
 */
export async function claimAndSend(
  options: ClaimOptions,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<'sent' | 'sent before'> {
  const { db, key, sendMs = defaultSendMs } = options;
  const claim = await claimMail(options);
  if (claim === undefined) return 'sent before';
  try {
    await send(AbortSignal.timeout(sendMs));
  } catch (error) {
    // Ends the lease for the next attempt. If this fails too, that attempt waits for the lease to expire.
    await db
      .updateTable('mails')
      .set({ claimed_until: sql<Date>`now()` })
      .where('key', '=', key)
      .where('claim', '=', claim)
      .execute()
      .catch(() => undefined);
    throw error;
  }
  await pRetry(() => recordSent(db, key), {
    ...recordRetries,
    shouldRetry: ({ error }) => error instanceof UnavailableError,
  });
  return 'sent';
}

/** Records that the mail was sent, even if another delivery holds the lease now, because this process may have been frozen. */
async function recordSent(db: Kysely<Database>, key: string): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('mails')
    .set({ sent_at: sql<Date>`now()` })
    .where('key', '=', key)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new Error('mails: expected the row of a mail that was sent, got none');
}

async function claimMail(options: ClaimOptions): Promise<string | undefined> {
  const { db, key, recipient, leaseMs = defaultLeaseMs } = options;
  const claim = randomUUID();
  // The clock of the database, because it is the same for all processes.
  const claimed = { claim, claimed_until: sql<Date>`now() + ${leaseMs} * interval '1 millisecond'` };
  const result = await db
    .insertInto('mails')
    .values({ key, recipient, ...claimed })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet(claimed)
        .where('mails.sent_at', 'is', null)
        .where('mails.claimed_until', '<=', sql<Date>`now()`),
    )
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 1n) return claim;
  const row = await db.selectFrom('mails').select('sent_at').where('key', '=', key).executeTakeFirst();
  if (row?.sent_at) return undefined;
  throw new ClaimedError();
}

/** Returns the Message-ID for a key. Each attempt has the same, so that a mail system can recognize a duplicate. */
export function messageIdOf(key: string): string {
  return `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@warren.invalid>`;
}
