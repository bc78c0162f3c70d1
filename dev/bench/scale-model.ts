/**
 * What a rate of messages takes, from times that were measured on two cores. It is a calculation: nothing here was run at these rates.
 */

/** Seconds in a month of 730 hours. */
const month = 730 * 3600;

/** Prices of docs/runbook.md, in US dollars. */
export const prices = {
  lambdaCall: 0.2 / 1e6,
  lambdaGbSecond: 0.0000133334,
  coreHour: 0.03238,
  gbHour: 0.00356,
};

/** A third of each worker is spare, so that a burst does not wait. */
const busy = 2 / 3;

/** What a message of a kind takes. */
export interface Work {
  name: string;
  /** Seconds of a worker's core for a message. */
  coreSeconds: number;
  /** Seconds of a call, with waiting. */
  seconds: number;
  /** Statements of the database for a message. */
  statements: number;
  /** Messages a call. */
  batch: number;
  /** Seconds of a call on Lambda. */
  lambdaSeconds: number;
  /** Memory of a function on Lambda, and of a worker, in GB. */
  gb: number;
  /** Calls at a time in a worker. */
  concurrency: number;
}

export interface Limits {
  /** Messages a second of one queue. */
  queue: number;
  /** Statements a second of one database. */
  statements: number;
  /** Seconds of a broker's core for a message: its publish and its consumption. */
  brokerCoreSeconds: number;
  /** Calls at a time of Lambda. */
  callsAtOnce: number;
}

/** What a rate of messages takes. */
export interface Demand {
  rate: number;
  workers: number;
  queues: number;
  /** Cores of brokers, each message on one node. */
  brokerCores: number;
  databases: number;
  lambdaAtOnce: number;
  /** US dollars. */
  lambdaMonthly: number;
  containersMonthly: number;
}

/** At least one, and no further one for an error of rounding. */
const whole = (value: number) => Math.max(1, Math.ceil(value - 1e-9));

/**
 * Workers, queues and databases for a rate, and the costs.
 *
 * @param rate messages a second.
 */
export function demand(work: Work, rate: number, limits: Limits): Demand {
  const cores = (rate * work.coreSeconds) / busy;
  const inFlight = (rate * work.seconds) / (work.batch * busy);
  const workers = Math.max(whole(cores), whole(inFlight / work.concurrency));
  const lambdaCalls = rate / work.batch;
  return {
    rate,
    workers,
    queues: whole(rate / (limits.queue * busy)),
    brokerCores: whole((rate * limits.brokerCoreSeconds) / busy),
    databases: whole((rate * work.statements) / (limits.statements * busy)),
    lambdaAtOnce: whole(lambdaCalls * work.lambdaSeconds),
    lambdaMonthly:
      lambdaCalls * month * (prices.lambdaCall + work.lambdaSeconds * work.gb * prices.lambdaGbSecond),
    containersMonthly: workers * 730 * (prices.coreHour + work.gb * prices.gbHour),
  };
}

/** The limits in the order in which a growing rate meets them, each with its messages a second. */
export function breaks(work: Work, limits: Limits): { limit: string; rate: number }[] {
  const all = [
    { limit: 'one call at a time of the mapping on AWS', rate: work.batch / work.lambdaSeconds },
    {
      limit: 'one worker',
      rate: Math.min(1 / work.coreSeconds, (work.batch * work.concurrency) / work.seconds),
    },
    { limit: 'calls at a time of Lambda', rate: (limits.callsAtOnce * work.batch) / work.lambdaSeconds },
    { limit: 'one queue', rate: limits.queue },
    {
      limit: 'one database',
      rate: work.statements === 0 ? Number.POSITIVE_INFINITY : limits.statements / work.statements,
    },
  ];
  return all.filter(({ rate }) => Number.isFinite(rate)).sort((a, b) => a.rate - b.rate);
}

/**
 * The wait for a free call, if messages arrive at random: a queue with one line and several servers of a constant time.
 *
 * @param rate messages a second.
 * @param servers calls at a time, of all workers together.
 * @param seconds of a call.
 * @param messages how many are simulated.
 * @param random returns numbers from 0 to 1, without 1.
 * @returns seconds of the median, and of the one in a hundred that waits longest.
 */
export function waits(
  rate: number,
  servers: number,
  seconds: number,
  messages: number,
  random: () => number,
): { median: number; late: number } {
  // With a constant time, calls end in the order in which they began: the server of a message is the one of `servers` before it.
  const ends = new Float64Array(servers);
  const all = new Float64Array(messages);
  let now = 0;
  for (let n = 0; n < messages; n += 1) {
    now -= Math.log(1 - random()) / rate;
    const server = n % servers;
    const start = Math.max(now, ends[server] ?? 0);
    ends[server] = start + seconds;
    all[n] = start - now;
  }
  all.sort();
  return { median: all[Math.floor(messages / 2)] ?? 0, late: all[Math.floor(messages * 0.99)] ?? 0 };
}

/** A generator of numbers that is the same in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
