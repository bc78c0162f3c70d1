import { randomUUID } from 'node:crypto';
import pRetry from 'p-retry';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { checkNumbers } from '../base/numbers.ts';
import { isUnavailable } from '../base/unavailable.ts';
import type { Statement } from './database.ts';
import { storable } from './storable.ts';

/** Milliseconds for one statement, until a new connection is open and it has run. */
const statementMs = 15_000;
/** How long a finished effect is recorded, if the database is unavailable. */
const recordRetries = { retries: Infinity, maxRetryTime: 40_000, minTimeout: 200, maxTimeout: 2000 };

/** Another delivery has the lease. */
export class LeasedError extends UnavailableError {
  constructor(key: string) {
    super('lease', `another delivery works on "${key}" right now`);
  }
}

export interface LeaseOptions {
  /** Limit of the effect in milliseconds, default 15000. */
  timeoutMs?: number | undefined;
  /**
   * Duration of the lease in milliseconds, default 70000 more than the effect may take: the time to record that it happened. After
   * that, another delivery may have the effect.
   */
  leaseMs?: number | undefined;
}

/** Keeps the lease of one effect. */
export interface LeaseStore {
  /** Takes the lease. @returns false if the effect has happened. @throws LeasedError if another delivery has it. */
  take(leaseMs: number): Promise<boolean>;
  /** Ends the lease without an effect. */
  giveBack(): Promise<unknown>;
  /** Records that the effect has happened. */
  record(): Promise<unknown>;
}

/** Has an effect under a lease of a store. */
export async function underLease(
  store: LeaseStore,
  work: (signal: AbortSignal) => Promise<unknown>,
  options: LeaseOptions = {},
): Promise<{ done: 'now' | 'before' }> {
  checkNumbers(options, { timeoutMs: { least: 0, whole: true }, leaseMs: { least: 0 } });
  const { timeoutMs = 15_000 } = options;
  const { leaseMs = timeoutMs + recordRetries.maxRetryTime + 2 * statementMs } = options;
  if (!(await store.take(leaseMs))) return { done: 'before' };
  try {
    await work(AbortSignal.timeout(timeoutMs));
  } catch (error) {
    // If this fails too, the next attempt waits until the lease is over.
    await inTime(store.giveBack()).catch(() => undefined);
    throw error;
  }
  const shouldRetry = ({ error }: { error: Error }) => isUnavailable(error);
  await pRetry(() => inTime(store.record()), { ...recordRetries, shouldRetry });
  return { done: 'now' };
}

/** Clients wait for an answer without a limit by default, and one that never comes would outlast the lease. */
const inTime = (statement: Promise<unknown>): Promise<unknown> =>
  withDeadline(statement, {
    ms: statementMs,
    late: () => new UnavailableError('lease', `expected an answer within ${statementMs} ms`),
  });

/** As `Effects.leased`. */
export function leased(
  run: Statement,
  name: string,
  work: (signal: AbortSignal) => Promise<unknown>,
  options?: LeaseOptions,
): Promise<{ done: 'now' | 'before' }> {
  const key = storable(name);
  const claim = randomUUID();
  const store: LeaseStore = {
    take: (leaseMs) => take(run, key, claim, leaseMs),
    giveBack: () =>
      run`update warren_leases set claimed_until = now() where key = ${key} and claim = ${claim}`,
    // Also if another delivery has the lease now, because this process may have been frozen.
    record: () => run`update warren_leases set done_at = now() where key = ${key}`,
  };
  return underLease(store, work, options);
}

/** Takes the lease. @returns false if the effect has happened. */
async function take(run: Statement, key: string, claim: string, leaseMs: number): Promise<boolean> {
  // The clock of the database, because it is the same for all processes.
  const taken = await run`
    insert into warren_leases as lease (key, claim, claimed_until)
    values (${key}, ${claim}, now() + ${leaseMs} * interval '1 millisecond')
    on conflict (key) do update set claim = excluded.claim, claimed_until = excluded.claimed_until
    where lease.done_at is null and lease.claimed_until <= now()
    returning key`;
  if (taken.length > 0) return true;
  const done = await run`select key from warren_leases where key = ${key} and done_at is not null`;
  if (done.length > 0) return false;
  throw new LeasedError(key);
}
