/**
 * Triggered by the queue `alert-log`: keeps each alert as a row. The message id is unique there, so that two deliveries
 * of one message make one row; an alert without an id makes one each time.
 */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { onMessages } from '../../runtime/messages/on-messages.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ schema: z.json(), ...deps }, async ({ messageId, routingKey, body }) => {
    await db
      .insertInto('alert_log')
      .values({
        message_id: messageId ?? null,
        routing_key: routingKey ?? null,
        content: JSON.stringify(body),
      })
      .onConflict((conflict) => conflict.column('message_id').doNothing())
      .execute();
  });
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
