/**
 * Triggered by a schedule, each minute: publishes the messages about pictures that stayed in the outbox because the broker was
 * unavailable or their process was killed. Runs at the same time share the messages. A message that is published twice has the same id
 * both times, and each effect happens once.
 */
import type { Kysely } from 'kysely';
import {
  type Log,
  lambda,
  log,
  type PublisherLike,
  publisher,
  silentLog,
  UnavailableError,
} from 'warren/functions';
import { effectsOn } from '../../shared/database/effects.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { announcement } from '../../shared/pictures/contracts.ts';
import { takeUnannounced } from '../../shared/pictures/state.ts';

interface Deps {
  db: Kysely<Database>;
  publisher: PublisherLike;
  log?: Log;
}

const batchSize = 100;

export function createHandler({ db, publisher, log = silentLog }: Deps) {
  const effects = effectsOn(db, { publisher, log });
  /** Throws if a message could not be published, for the operator's log; a later run tries again. */
  return async (): Promise<{ announced: number }> => {
    await effects.transaction(async ({ db, publish }) => {
      for (const picture of await takeUnannounced(db)) publish(announcement(picture));
    });
    let announced = 0;
    for (;;) {
      const { sent, failed } = await effects.relay({ limit: batchSize });
      announced += sent;
      if (failed > 0) throw new UnavailableError('broker', `${failed} messages stay in the outbox`);
      if (sent < batchSize) break;
    }
    if (announced > 0) log.info({ announced }, 'announced pictures that were stored before');
    return { announced };
  };
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
