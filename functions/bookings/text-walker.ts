/**
 * Triggered by the queue `walker-texts`: sends a walker the text message of a notice. The queue limits how many a phone gets in a time;
 * a text message that waited too long for that is dropped: its walk is canceled, or has begun before its reminder. A lease row prevents
 * a second one. Without a configured webhook, none is sent.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, onMessages, type PublisherLike, publisher } from 'warren/functions';
import { walkOf, walkText } from '../../shared/bookings/notices.ts';
import { textWalker } from '../../shared/bookings/notify.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { type TextsLike, texts } from '../../shared/delivery/texts.ts';

interface Deps {
  db: Kysely<Database>;
  /** Undefined if text messages are switched off. */
  texts: TextsLike | undefined;
  publisher: PublisherLike;
  log?: Log;
  now?: () => Date;
}

export function createHandler({ texts, now = () => new Date(), ...deps }: Deps) {
  return onMessages({ contract: walkText, ...deps }, async ({ body: notice }) => {
    const found = texts && (await walkOf(deps.db, notice, now()));
    if (found) await textWalker({ db: deps.db, texts }, found, notice);
  });
}

export const handler = lambda({ db: database, texts, publisher, log }, createHandler);
