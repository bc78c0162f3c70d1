import { delayLevel, delayLevels, delayUnitMs, dueQueueOf } from '../../topology/delay-names.ts';
import type { LiveScheduled } from '../api-live-types.ts';
import type { BrokerQueue } from './broker-queues.ts';

/**
 * The delayed messages by the level on which they wait. The broker does not report when a single message is due, but a message goes
 * down and never up.
 *
 * @returns null if the broker has no level.
 */
export function liveScheduled(all: ReadonlyMap<string, BrokerQueue>): LiveScheduled | null {
  const levels = Array.from({ length: delayLevels }, (_, level) => {
    const ms = delayUnitMs * 2 ** level;
    return { waiting: all.get(delayLevel(level))?.waiting, due_within_ms: 2 * ms - delayUnitMs };
  });
  const known = levels.flatMap(({ waiting, ...level }) =>
    waiting === undefined ? [] : [{ waiting, ...level }],
  );
  if (known.length === 0) return null;
  return {
    total: known.reduce((sum, { waiting }) => sum + waiting, 0),
    levels: known.filter(({ waiting }) => waiting > 0),
    held: [...all.values()].flatMap(({ name, expired }) => {
      const destination = dueQueueOf(name);
      return destination && expired ? [{ ...destination, waiting: expired }] : [];
    }),
  };
}
