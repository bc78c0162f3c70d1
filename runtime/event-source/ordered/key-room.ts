import type { PerKey } from '../../topology/token-names.ts';

/** Messages of a key in hand, at most. A key of a backlog has as many, which is known without a look at all partitions. */
export const maxHeld = 32;
/** Milliseconds of work of a key in hand, at most: all that is in hand has to be done within minutes. */
const heldMs = 60_000;
/**
 * Parts of the window. The first is for keys with more than an equal share, as their `concurrency` needs, and the second is divided
 * equally: so there is always room for one more key.
 */
const [spare, shared] = [0.3, 0.7];
/** Part of the window beyond which each message has to wait aside: if the window were full, the worker would read no further. */
const closed = 0.95;

/** Messages of a partition in hand, and how many there may be. */
export interface Hand {
  messages: number;
  /** Bytes of their events. */
  bytes: number;
  maxMessages: number;
  maxBytes: number;
}

/**
 * Messages of a key in hand, at most. It is as many as may be handed over within a minute, and less if many keys are in hand.
 *
 * @param keys of the partition in hand.
 */
export function keyRoom({ concurrency = 1, limit }: PerKey, keys: number, hand: Hand): number {
  const window = windowOf(hand);
  const within = limit ? Math.ceil((limit.count * heldMs) / limit.periodMs) : maxHeld;
  const wanted = hand.messages < spare * window ? 2 * concurrency : 1;
  const share = Math.max(wanted, Math.floor((shared * window) / keys));
  return Math.max(1, Math.min(maxHeld, within, share, Math.floor(window / 2)));
}

/** Whether there is no room, also for a key without a message in hand. */
export const isClosed = (hand: Hand, bytes: number): boolean =>
  hand.messages > 0 && (hand.messages >= closed * hand.maxMessages || hand.bytes + bytes > hand.maxBytes);

/** Whether the shares of keys that came early may leave no room for others. */
export const isCrowded = (hand: Hand): boolean => hand.messages > shared * windowOf(hand);

/** Messages of the size of those in hand that fit. */
const windowOf = ({ messages, bytes, maxMessages, maxBytes }: Hand): number =>
  bytes === 0 ? maxMessages : Math.min(maxMessages, Math.floor((maxBytes * messages) / bytes));
