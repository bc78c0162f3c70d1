/**
 * Triggered by the queue of each audience, `critical` and `rate_limit`: mails the alert to it. Which subject and which
 * recipient belong to a queue says ALERT_ROUTES in serverless.yml. A row with a lease keeps a second delivery of the
 * same message id from mailing again; an alert without an id (foreign producers may leave it out) is mailed each time.
 */
import escapeHtml from 'escape-html';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { loadConfig } from '../../shared/config.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { whenCalled } from '../../shared/lazy.ts';
import { createLog, type Log } from '../../shared/log.ts';
import { createMailer, type MailerLike } from '../../shared/mail.ts';
import { sendOnce } from '../../shared/mail-once.ts';
import { onMessages } from '../../shared/rabbitmq/messages.ts';
import { createPublisher, type PublisherLike } from '../../shared/rabbitmq/publisher.ts';

/** By queue: who gets its alerts, and under which subject. */
export type Routes = Readonly<Record<string, { subject: string; to: string }>>;

interface Deps {
  db: Kysely<Database>;
  mailer: MailerLike;
  publisher: PublisherLike;
  routes: Routes;
  log?: Log;
}

export function createHandler({ db, mailer, routes, ...deps }: Deps) {
  return onMessages(
    { schema: z.json(), ...deps },
    async ({ queue, messageId, routingKey, timestamp, body }) => {
      const route = routes[queue];
      if (!route) throw new Error(`ALERT_ROUTES has no entry for the queue "${queue}"`);
      const mail = { ...route, ...compose(body, routingKey, timestamp) };
      if (messageId === undefined) await mailer.send(mail);
      else await sendOnce({ db, mailer, key: `alert:${queue}:${messageId}`, mail });
    },
  );
}

/** All that comes from the alert goes into the body, escaped, and nothing of it into a header. */
function compose(body: unknown, routingKey = 'unknown', raisedAt?: Date): { text: string; html: string } {
  const content = typeof body === 'string' ? body : JSON.stringify(body, null, 2);
  const facts = [`Routing key: ${routingKey}`, ...(raisedAt ? [`Raised: ${raisedAt.toISOString()}`] : [])];
  return {
    text: [content, '', ...facts, ''].join('\n'),
    html: `<pre style="white-space: pre-wrap">${escapeHtml(content)}</pre>\n<p>${facts.map(escapeHtml).join('<br>\n')}</p>\n`,
  };
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'mail', 'alerts', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    mailer: createMailer(config.mail),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    routes: config.alerts.ALERT_ROUTES,
    log: createLog(config.log),
  });
});
