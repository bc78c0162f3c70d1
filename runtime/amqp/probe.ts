import { withDeadline } from '../base/deadline.ts';
import type { BrokerConnection } from './connection.ts';
import { noAnswer } from './publish-errors.ts';

/**
 * Returns whether the broker answers on a connection. Opening a channel needs no right and no queue.
 *
 * @param ms limit in milliseconds.
 */
export async function answersOn(connection: BrokerConnection, ms: number): Promise<boolean> {
  // A broker that blocks publishers reads nothing; heartbeats notice if it is gone.
  if (connection.blocked) return true;
  try {
    const channel = await withDeadline(connection.channel(), { ms, late: () => noAnswer(ms) });
    channel.close().catch(() => undefined);
    return true;
  } catch {
    return false;
  }
}
