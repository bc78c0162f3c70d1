import { createHash, randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import pRetry from 'p-retry';
import { UnavailableError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { Mail, MailerLike } from './mail.ts';

/** Another delivery is sending this right now. */
export class ClaimedError extends UnavailableError {
  constructor() {
    super('mail', 'another delivery is sending this right now');
  }
}

export interface ClaimOptions {
  db: Kysely<Database>;
  /** Names the mail or text message: what it is about and who gets it. */
  key: string;
  recipient: string;
  /** The picture it is about and the user who gets it, where it is about one. */
  about?: { pictureId: number; userId: number } | undefined;
  /** How long a delivery may take to send it and to write that down, in milliseconds, default 85000; then another one may. */
  leaseMs?: number | undefined;
  /** How long sending alone may take, in milliseconds, default 15000. */
  sendMs?: number | undefined;
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
  return claimAndSend({ ...claim, recipient: mail.to }, (signal) =>
    mailer.send({ ...mail, messageId }, signal),
  );
}

/** Milliseconds that a connection (4 s) and a query (11 s) may take, as `database.ts` has it. */
const statement = 15_000;

/** Milliseconds for all that is sent, by whatever way. */
const sending = 15_000;

/** What is sent can't be taken back: a database that is away is waited for, for as long as the functions have time. */
const writingDown = { retries: Infinity, maxRetryTime: 40_000, minTimeout: 200, maxTimeout: 2000 };

/** From the claim to the last try to write down what was sent: no other delivery sends meanwhile. */
const lease = statement + sending + writingDown.maxRetryTime + statement;

/**
 * Sends what was not sent yet. A row for each mail is claimed for a while before it is sent, so that two deliveries of one
 * message, even at the same moment, send it once; no transaction is held meanwhile. A process that dies between sending and
 * writing that down leaves a mail that is sent again, and so does a database that is away for more than 40 seconds then.
 *
 * @param send gives up, and throws UnavailableError, when its signal says that it takes too long.
 * @returns whether it was sent now, or had been already.
 * @throws ClaimedError where another delivery holds the claim; and what `send` throws.
 */
export async function claimAndSend(
  options: ClaimOptions,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<'sent' | 'sent before'> {
  const { db, key, sendMs = sending } = options;
  const claim = await claimMail(options);
  if (claim === undefined) return 'sent before';
  try {
    await send(AbortSignal.timeout(sendMs));
  } catch (error) {
    // The next try need not wait for the claim to run out. If this fails too, it waits.
    await db
      .updateTable('mails')
      .set({ claimed_until: sql<Date>`now()` })
      .where('key', '=', key)
      .where('claim', '=', claim)
      .execute()
      .catch(() => undefined);
    throw error;
  }
  await pRetry(() => writeDown(db, key), {
    ...writingDown,
    shouldRetry: ({ error }) => error instanceof UnavailableError,
  });
  return 'sent';
}

/** Whoever holds the claim by now, for a process that was frozen comes late: it is sent, and nobody is to send it again. */
async function writeDown(db: Kysely<Database>, key: string): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('mails')
    .set({ sent_at: sql<Date>`now()` })
    .where('key', '=', key)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new Error('mails: expected the row of a mail that was sent, got none');
}

async function claimMail(options: ClaimOptions): Promise<string | undefined> {
  const { db, key, recipient, about, leaseMs = lease } = options;
  const claim = randomUUID();
  // The database's clock, which is the same for all.
  const claimed = { claim, claimed_until: sql<Date>`now() + ${leaseMs} * interval '1 millisecond'` };
  const result = await db
    .insertInto('mails')
    .values({
      key,
      recipient,
      picture_id: about?.pictureId ?? null,
      user_id: about?.userId ?? null,
      ...claimed,
    })
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

/** The Message-ID of the mail with that key: the same for every try, so that a mail system that gets it twice can tell. */
export function messageIdOf(key: string): string {
  return `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@warren.invalid>`;
}
