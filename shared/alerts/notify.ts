import type { Kysely } from 'kysely';
import { RejectedError, UnavailableError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import { readAddresses } from '../delivery/addresses.ts';
import type { MailerLike } from '../delivery/mail.ts';
import { sendLeased, sendOnce } from '../delivery/mail-once.ts';
import { callWebhook } from '../delivery/webhook.ts';
import type { Alert } from './alert.ts';
import { chatText, composeNotice, mailParts, subjectOf } from './notice.ts';
import type { AlertRoute } from './routes.ts';

export interface NotifyDeps {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** Time limit of a webhook in milliseconds, default 5000. */
  webhookTimeoutMs?: number | undefined;
}

/**
 * Notifies an audience of an alert by mail or webhook, once for the alert's key. Each recipient of a route gets a mail of its
 * own, so that an address that fails does not keep the others from theirs.
 *
 * @throws UnavailableError if the channel is unavailable or answers "later", or does so for some recipients; RejectedError if a
 *   webhook refuses its content.
 */
export async function notifyAudience(deps: NotifyDeps, route: AlertRoute, alert: Alert): Promise<void> {
  const { db, mailer, webhookTimeoutMs } = deps;
  const { key } = alert;
  const subject = subjectOf(route.subject, alert);
  const notice = composeNotice(alert);
  if (route.channel !== 'webhook') {
    const addresses = readAddresses(route.to);
    const keyOf = (address: string) => (addresses.length === 1 ? key : `${key}:${address}`);
    const parts = { subject, ...mailParts(notice) };
    const mails = addresses.map((to) =>
      sendOnce({ db, mailer, key: keyOf(to.address), mail: { to, ...parts } }),
    );
    throwFailure(await Promise.allSettled(mails));
    return;
  }
  const { url } = route;
  // The row does not contain the URL, because the URL is a secret.
  await sendLeased({ db, key, recipient: 'webhook' }, (signal) =>
    callWebhook(
      {
        url,
        key,
        dependency: 'webhook',
        what: 'the webhook for alerts',
        setting: 'ALERT_ROUTES',
        timeoutMs: webhookTimeoutMs,
        body: { text: chatText(subject, notice) },
        signal,
      },
      (reason) => new RejectedError(reason),
    ),
  );
}

/**
 * Throws for mails that were not sent. A server that defers mails to some recipients, for example because their mailbox is full,
 * works for the others, whose later alerts must not wait in the backlog.
 */
function throwFailure(mails: readonly PromiseSettledResult<unknown>[]): void {
  const errors: unknown[] = mails.flatMap((mail) => (mail.status === 'rejected' ? [mail.reason] : []));
  if (errors.length === 0) return;
  const cause = errors.find((error) => error instanceof UnavailableError) ?? errors[0];
  const isDeferred = cause instanceof UnavailableError && cause.dependency === 'mail';
  if (!isDeferred || errors.length === mails.length) throw cause;
  const reason = `${errors.length} of ${mails.length} recipients got no mail: ${cause.message}`;
  throw new UnavailableError(recipients, reason, { cause });
}

/** The dependency of an error about some recipients. */
const recipients = 'recipients';

/** Whether only some recipients got no mail, so that the alert is retried on its own. */
export function isForSomeRecipients(error: unknown): boolean {
  return error instanceof UnavailableError && error.dependency === recipients;
}

/** Whether mail or webhook is unavailable, or another process holds the lease: the backlog waits for that. */
export function isChannelUnavailable(error: unknown): boolean {
  return error instanceof UnavailableError && ['mail', 'webhook', 'lease'].includes(error.dependency);
}
