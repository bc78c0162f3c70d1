/**
 * Triggered by the queue `alert-log`: stores each alert as a row. The message id is unique there, so that two deliveries
 * of one message result in one row; an alert without an id results in a new row each time.
 */

import type { Kysely } from 'kysely';
import {
  type Log,
  lambda,
  log,
  onMessages,
  type PublisherLike,
  publisher,
  stringifyJson,
} from 'warren/functions';
import { alertRaised } from '../../shared/alerts/contracts.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';

export function createHandler(deps: { db: Kysely<Database>; publisher: PublisherLike; log?: Log }) {
  const { db } = deps;
  return onMessages({ contract: alertRaised, ...deps }, async ({ messageId, routingKey, body }) => {
    await db
      .insertInto('alert_log')
      .values({
        message_id: messageId ?? null,
        routing_key: routingKey ?? null,
        content: stringifyJson(body),
      })
      .onConflict((conflict) => conflict.column('message_id').doNothing())
      .execute();
  });
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
