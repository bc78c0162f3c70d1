/**
 * Triggered by a schedule, each minute: announces the pictures that were stored and never announced, because the broker was
 * away or the process was killed, oldest first. Several at the same time share the work; one that dies leaves what it took
 * to the next after half a minute. A picture that is announced twice has the same message id, and its effects once.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, type PublisherLike, publisher, silentLog } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { announce, takeUnannounced } from '../../shared/pictures/outbox.ts';

interface Deps {
  db: Kysely<Database>;
  publisher: PublisherLike;
  /** Seconds for which a picture is left to who stored it, default 10: longer than a publisher takes to give up. */
  olderThan?: number;
  log?: Log;
}

const batch = 100;

export function createHandler({ db, publisher, olderThan = 10, log = silentLog }: Deps) {
  /** Throws what the broker said, for the operator to see; the next run tries again. */
  return async (): Promise<{ announced: number }> => {
    let announced = 0;
    for (;;) {
      const pictures = await takeUnannounced(db, { olderThan, limit: batch });
      const results = await Promise.allSettled(pictures.map((each) => announce({ db, publisher }, each)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
      announced += pictures.length;
      if (pictures.length < batch) break;
    }
    if (announced > 0) log.info({ announced }, 'announced what was stored and not announced yet');
    return { announced };
  };
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
