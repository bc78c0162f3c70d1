import type { Kysely } from 'kysely';
import { allDone, RejectedError, UnavailableError } from 'warren/functions';
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
 * @throws UnavailableError if the channel is unavailable or answers "later"; RejectedError if a webhook refuses its content.
 */
export async function notifyAudience(deps: NotifyDeps, route: AlertRoute, alert: Alert): Promise<void> {
  const { db, mailer, webhookTimeoutMs } = deps;
  const { key } = alert;
  const subject = subjectOf(route.subject, alert);
  const notice = composeNotice(alert);
  if (route.channel !== 'webhook') {
    const recipients = readAddresses(route.to);
    const keyOf = (address: string) => (recipients.length === 1 ? key : `${key}:${address}`);
    const parts = { subject, ...mailParts(notice) };
    await allDone(
      recipients.map((to) => sendOnce({ db, mailer, key: keyOf(to.address), mail: { to, ...parts } })),
    );
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

/** Whether mail or webhook is unavailable, or another process holds the lease: the backlog waits for that. */
export function isChannelUnavailable(error: unknown): boolean {
  return error instanceof UnavailableError && ['mail', 'webhook', 'lease'].includes(error.dependency);
}
