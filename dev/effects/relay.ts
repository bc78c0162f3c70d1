import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { PublisherLike } from '../../runtime/amqp/publisher.ts';
import { silentLog } from '../../runtime/base/log.ts';
import { pgDatabase } from '../../runtime/effects/database.ts';
import { Effects } from '../../runtime/effects/effects.ts';

/** The scheduled function of docs/effects.md, more often than a schedule would run it. */
export interface Relay {
  /** Messages that it published. */
  sent(): number;
  /**
   * Publishes what waits in place of waiting until it is due. A process may have it in hand as well, and consumers recognize the
   * message by its id.
   */
  hurry(): Promise<unknown>;
  stop(): Promise<void>;
}

export function startRelay(pool: pg.Pool, publisher: PublisherLike): Relay {
  const effects = new Effects({ database: pgDatabase(pool), publisher, log: silentLog });
  let [sent, running] = [0, true];
  const run = async () => {
    sent += (await effects.relay({ limit: 500 })).sent;
  };
  const loop = async () => {
    for (; running; await pause(500)) await run();
  };
  const stopped = loop();
  return {
    sent: () => sent,
    async hurry() {
      await pool.query('update warren_outbox set due_at = now()');
      await run();
    },
    async stop() {
      running = false;
      await stopped;
    },
  };
}
