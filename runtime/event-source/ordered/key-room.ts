import type { PerKey } from '../../topology/token-names.ts';

/** Messages of a key in hand, at most. */
const maxHeld = 32;
/** Milliseconds of work of a key in hand, at most: all that is in hand has to be done within minutes. */
const heldMs = 60_000;
/**
 * Parts of the window. The first is for keys with more than an equal share, as their `concurrency` needs, and the second is divided
 * equally: so there is always room for one more key.
 */
const [spare, shared] = [0.3, 0.7];

/** The limits of a key, and the number of messages of a partition in hand, at most. */
export interface KeyRoomOptions extends PerKey {
  window: number;
}

/**
 * Messages of a key in hand, at most. It is as many as may be handed over within a minute, and less if many keys are in hand.
 *
 * @param keys in hand.
 * @param inHand messages of the partition.
 */
export function keyRoom(
  { concurrency = 1, limit, window }: KeyRoomOptions,
  keys: number,
  inHand: number,
): number {
  const within = limit ? Math.ceil((limit.count * heldMs) / limit.periodMs) : maxHeld;
  const wanted = inHand < spare * window ? 2 * concurrency : 1;
  const share = Math.max(wanted, Math.floor((shared * window) / keys));
  return Math.max(1, Math.min(maxHeld, within, share, Math.floor(window / 2)));
}
