/**
 * Triggered by a schedule, each minute: announces unannounced pictures, oldest first, that were stored while the broker was
 * unavailable or whose process was killed. Runs at the same time share the work by leases of half a minute. A picture that is
 * announced twice has the same message id both times, and each effect happens once.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log, type PublisherLike, publisher, silentLog } from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { announce } from '../../shared/pictures/outbox.ts';
import { leaseUnannounced } from '../../shared/pictures/state.ts';

interface Deps {
  db: Kysely<Database>;
  publisher: PublisherLike;
  /** Seconds for which a picture is left to the function that stored it, default 10: longer than a publisher tries. */
  olderThan?: number;
  log?: Log;
}

const batchSize = 100;

export function createHandler({ db, publisher, olderThan = 10, log = silentLog }: Deps) {
  /** Throws the broker's error for the operator's log; the next run tries again. */
  return async (): Promise<{ announced: number }> => {
    let announced = 0;
    for (;;) {
      const pictures = await leaseUnannounced(db, { olderThan, limit: batchSize });
      const results = await Promise.allSettled(pictures.map((each) => announce({ db, publisher }, each)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
      announced += pictures.length;
      if (pictures.length < batchSize) break;
    }
    if (announced > 0) log.info({ announced }, 'announced pictures that were stored before');
    return { announced };
  };
}

export const handler = lambda({ db: database, publisher, log }, createHandler);
