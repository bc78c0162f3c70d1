import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import { waiting, waitingRows } from './leftovers.ts';
import type { Parts } from './parts.ts';

/** Waits until nothing but `except` waits, twice in a row; as long as it gets less. */
export async function quiet(
  parts: Parts,
  db: Kysely<Database>,
  { say, patience = 180 }: { say: (text: string) => void; patience?: number },
  except: readonly string[] = [],
): Promise<number> {
  const begun = Date.now();
  let least = { messages: Number.POSITIVE_INFINITY, at: begun };
  for (let quietTimes = 0; quietTimes < 2; ) {
    const counts = new Map([...(await waiting(parts)), ...(await waitingRows(db))]);
    for (const name of except) counts.delete(name);
    const messages = [...counts.values()].reduce((sum, each) => sum + each, 0);
    quietTimes = messages === 0 ? quietTimes + 1 : 0;
    if (messages < least.messages) least = { messages, at: Date.now() };
    // A lease is 85 seconds; whatever is still there after twice as long, stays.
    if (messages > 0 && Date.now() - least.at > patience * 1000) break;
    if (messages > 0)
      say(`Waiting for quiet: ${messages} (${[...counts].map((each) => each.join(' ')).join(', ')})`);
    await pause(3000);
  }
  return Math.round((Date.now() - begun) / 1000);
}
