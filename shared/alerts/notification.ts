/** What an audience is told of an alert, by mail or through a webhook. */

import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import { RejectedError } from 'warren/functions';
import type { Database } from '../database/schema.ts';
import type { MailerLike } from '../delivery/mail.ts';
import { claimAndSend, sendOnce } from '../delivery/mail-once.ts';
import { callWebhook } from '../delivery/webhook.ts';
import type { Alert } from './alert.ts';
import type { AlertRoute } from './routes.ts';

export interface TellingParts {
  db: Kysely<Database>;
  mailer: MailerLike;
  /** How long a webhook may take in milliseconds, default 5000. */
  webhookTimeoutMs?: number | undefined;
}

/**
 * Tells an audience of an alert, once for its key.
 *
 * @throws UnavailableError where the channel is away or says "later"; RejectedError where a webhook refuses it for good.
 */
export async function tellOnce(parts: TellingParts, route: AlertRoute, alert: Alert): Promise<void> {
  const { db, mailer, webhookTimeoutMs } = parts;
  const { key } = alert;
  const subject = alert.summary ? `${route.subject}: ${count(alert.summary.more)} more` : route.subject;
  const notice = compose(alert);
  if (route.channel !== 'webhook') {
    await sendOnce({ db, mailer, key, mail: { to: route.to, subject, ...inMail(notice) } });
    return;
  }
  const { url } = route;
  // The row names no URL: that would be a password in the database.
  await claimAndSend({ db, key, recipient: 'webhook' }, (signal) =>
    callWebhook(
      {
        ...{ url, key, dependency: 'webhook', what: 'the webhook for alerts', timeoutMs: webhookTimeoutMs },
        body: { text: inChat(subject, notice) },
        signal,
      },
      (reason) => new RejectedError(reason),
    ),
  );
}

interface Notice {
  content: string;
  facts: string[];
}

function compose({ body, routingKey = 'unknown', timestamp, summary }: Alert): Notice {
  const content = typeof body === 'string' ? body : JSON.stringify(body, null, 2);
  if (!summary) {
    const raised = timestamp === undefined ? [] : [`Raised: ${timestamp}`];
    return { content, facts: [`Routing key: ${routingKey}`, ...raised] };
  }
  const { dedupKey, more, firstAt, lastAt } = summary;
  const alerts = more === 1 ? '1 more alert' : `${count(more)} more alerts`;
  return {
    content: `${alerts} with the key "${dedupKey}". The last one:\n\n${content}`,
    facts: [`Routing key: ${routingKey}`, `First: ${firstAt}`, `Last: ${lastAt}`],
  };
}

const count = (more: number): string => more.toLocaleString('en-US');

/** All that comes from the alert goes into the body, escaped, and nothing of it into a header. */
function inMail({ content, facts }: Notice): { text: string; html: string } {
  return {
    text: [content, '', ...facts, ''].join('\n'),
    html: `<pre style="white-space: pre-wrap">${escapeHtml(content)}</pre>\n<p>${facts.map(escapeHtml).join('<br>\n')}</p>\n`,
  };
}

/** Slack shows so many characters of a text at most, and reads `<!channel>`, say, as a command, unless it is escaped. */
const mostCharacters = 4000;

function inChat(subject: string, { content, facts }: Notice): string {
  // Not in the middle of a surrogate pair.
  const cut = content.slice(0, mostCharacters).replace(/[\ud800-\udbff]$/, '');
  const text = [content.length > mostCharacters ? `${cut}…` : content, '', ...facts].join('\n');
  return `*${subject}*\n${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}`;
}
