/** Calls of a queue in a time, over all workers. */
export interface RateLimit {
  /** Messages that are handed to the function in any period. */
  count: number;
  periodMs: number;
}

/** What messages of one key may take of a queue. */
export interface PerKey {
  /** Messages of a key that are handled at a time; default any number. */
  concurrency?: number | undefined;
  /** Messages of a key that are handed to the function in a time; default any number. */
  limit?: RateLimit | undefined;
}

/** The queues of a limit. Their names have all that decides about it, so that another limit has others. */
export interface LimitQueues {
  /** Tokens that may be used. */
  tokens: string;
  /** Tokens that were used, until their period is over. */
  used: string;
  /** Gets no messages. It exists when the tokens are there, and its consumers are the consumers of the limited queue. */
  consumers: string;
}

/** Names of the queues of a limit. */
export function limitQueues(queue: string, { count, periodMs }: RateLimit): LimitQueues {
  const tokens = `${queue}.limit.${count}-${periodMs}`;
  return { tokens, used: `${tokens}.used`, consumers: `${tokens}.consumers` };
}
