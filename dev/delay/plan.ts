import type { Chance } from '../faults/seed.ts';

/** A message of the course. */
export interface Planned {
  id: string;
  /** Milliseconds after the begin of the course at which it is published. */
  at: number;
  /** Milliseconds of its delay. */
  delayMs: number;
  /** Milliseconds after the begin of the course at which it is due; default its delay after its publish. */
  dueAt?: number | undefined;
  /** Whether its destination is a queue, in place of an exchange. */
  toQueue: boolean;
}

/** What the sender notes: the time at which a message is due, before its first publish, and each publish and confirm. */
export type Note = { id: string } & (
  | { due: number; from: number }
  | { published: number }
  | { confirmed: true }
);

/**
 * Plans messages that are published over half of the longest delay, with delays that are spread evenly.
 *
 * @param atOnce whether all of them are due at the same time instead, after the longest delay.
 */
export function planned(messages: number, longestMs: number, chance: Chance, atOnce = false): Planned[] {
  return Array.from({ length: messages }, (_, n) => {
    const at = chance.between(0, longestMs / 2);
    const spread = chance.between(Math.min(1000, longestMs / 2), longestMs);
    const toQueue = chance.next() < 0.5;
    const dueAt = atOnce ? longestMs : undefined;
    return { id: `delayed-${n}`, at, delayMs: spread, dueAt, toQueue };
  }).sort((a, b) => a.at - b.at);
}

/**
 * Milliseconds that a message may be late: 1 s, and 1 s more for each thousand of further messages that are due at the same time. The
 * queues of the ladder hand over that many a second on a busy machine with two cores.
 */
export const maxLateMs = (dueAtOnce: number): number => 1000 * Math.max(1, Math.ceil(dueAtOnce / 1000));

/** Exchange and queue that get the delayed messages; the exchange fills the other queue. */
export const [exchange, fromExchange, directQueue] = ['walks', 'from-exchange', 'direct'] as const;

export const section = {
  exchanges: { [exchange]: { type: 'topic', delays: true } },
  queues: {
    [fromExchange]: { bindings: [{ exchange, routingKey: 'walk.*' }] },
    [directQueue]: { delays: true },
  },
};
