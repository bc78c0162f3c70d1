import type { Held } from './key-lanes.ts';

/** The messages of a key in hand. */
export interface Key<Source> {
  /** Where its latest message came from; a key has one partition. */
  source: Source;
  waiting: Held<Source>[];
  delayed: number;
  running: number;
  /** When its latest messages were taken, up to the number of its limit. */
  taken: number[];
}

/** Number of the messages of a key in hand. */
export const countOf = ({ waiting, delayed, running }: Key<unknown>): number =>
  waiting.length + delayed + running;

/**
 * Takes out the newest message that may wait aside, of the key with the most messages in hand that has more than its share.
 *
 * @param room share of each key.
 * @param mayLeave whether a message may wait aside.
 */
export function takeSurplus<Source>(
  keys: Iterable<Key<Source>>,
  room: number,
  mayLeave: (held: Held<Source>) => boolean,
): Held<Source> | undefined {
  let most = room;
  let found: { key: Key<Source>; held: Held<Source> } | undefined;
  for (const key of keys) {
    if (countOf(key) <= most) continue;
    // Not only the newest: one that was aside is behind those that may leave, and would keep all of them in hand.
    const held = key.waiting.findLast(mayLeave);
    if (!held) continue;
    most = countOf(key);
    found = { key, held };
  }
  found?.key.waiting.splice(found.key.waiting.lastIndexOf(found.held), 1);
  return found?.held;
}
