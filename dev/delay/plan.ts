import type { Chance } from '../faults/seed.ts';

/** A message of the course. */
export interface Planned {
  id: string;
  /** Milliseconds after the begin of the course at which it is published. */
  at: number;
  /** Milliseconds of its delay. */
  delayMs: number;
  /** Whether its destination is a queue, in place of an exchange. */
  toQueue: boolean;
}

/** What the sender notes: the time at which a message is due, before its first publish, and each publish and confirm. */
export type Note = { id: string } & (
  | { due: number; from: number }
  | { published: number }
  | { confirmed: true }
);

/** Plans messages whose delays are spread evenly, over half of the longest delay. */
export function planned(messages: number, longestMs: number, chance: Chance): Planned[] {
  return Array.from({ length: messages }, (_, n) => ({
    id: `delayed-${n}`,
    at: chance.between(0, longestMs / 2),
    delayMs: chance.between(Math.min(1000, longestMs / 2), longestMs),
    toQueue: chance.next() < 0.5,
  })).sort((a, b) => a.at - b.at);
}

/** Exchange and queue that get the delayed messages; the exchange fills the other queue. */
export const [exchange, fromExchange, directQueue] = ['walks', 'from-exchange', 'direct'] as const;

export const section = {
  exchanges: { [exchange]: { type: 'topic', delays: true } },
  queues: {
    [fromExchange]: { bindings: [{ exchange, routingKey: 'walk.*' }] },
    [directQueue]: { delays: true },
  },
};
