import { WarrenError } from '../base/errors.ts';
import { LeasedError, type LeaseOptions, underLease } from './lease.ts';

/** The parts of a record of a persistence layer. */
interface PersistedRecord {
  getStatus(): string;
}

/**
 * The parts that this module needs of a persistence layer of Powertools for AWS Lambda (`BasePersistenceLayer` of
 * `@aws-lambda-powertools/idempotency`), such as its `DynamoDBPersistenceLayer`.
 */
export interface PersistenceLike {
  getExpiresAfterSeconds(): number;
  saveInProgress(data: string, remainingTimeInMillis?: number): Promise<void>;
  getRecord(data: string): Promise<PersistedRecord>;
  saveSuccess(data: string, result: string): Promise<void>;
  deleteRecord(data: string): Promise<void>;
}

/** Seconds for which a message is retried by default, while a dependency is unavailable. */
const retriedSeconds = 86_400;

/**
 * As `Effects.leased`, for functions without PostgreSQL: the lease is a record of a persistence layer of Powertools for AWS Lambda,
 * in DynamoDB or in a cache. The layer removes records by age (`expiresAfterSeconds`).
 *
 * @param persistence the layer, configured to keep records for at least a day, because messages are retried for that long.
 * @param key identifies the effect: the message's id and what is done with it.
 * @param work has the effect. Its signal aborts when the time is over.
 * @throws LeasedError (an unavailable dependency) if another delivery is at it; WarrenError ERR_CONFIG if the layer keeps records for
 *   less than a day; the errors of `work` and of the layer.
 */
export async function leasedBy(
  persistence: PersistenceLike,
  key: string,
  work: (signal: AbortSignal) => Promise<unknown>,
  options?: LeaseOptions,
): Promise<{ done: 'now' | 'before' }> {
  const kept = persistence.getExpiresAfterSeconds();
  if (kept < retriedSeconds) {
    const expected = `expected at least ${retriedSeconds}, because messages are retried for a day`;
    throw new WarrenError('ERR_CONFIG', `expiresAfterSeconds: ${expected}, got ${kept}`);
  }
  let leasedUntil = 0;
  return underLease(
    {
      async take(leaseMs) {
        leasedUntil = Date.now() + leaseMs;
        return take(persistence, key, leaseMs);
      },
      // A later record is that of another delivery, and a completed one that of a delivery which was frozen for longer than its lease.
      giveBack: async () =>
        Date.now() < leasedUntil &&
        (await persistence.getRecord(key)).getStatus() === 'INPROGRESS' &&
        persistence.deleteRecord(key),
      record: () => persistence.saveSuccess(key, 'done'),
    },
    work,
    options,
  );
}

async function take(persistence: PersistenceLike, key: string, leaseMs: number): Promise<boolean> {
  try {
    await persistence.saveInProgress(key, leaseMs);
    return true;
  } catch (error) {
    if (!isTaken(error)) throw error;
    // DynamoDB returns the record with its refusal, other stores do not.
    const record = error.existingRecord ?? (await persistence.getRecord(key));
    if (record.getStatus() === 'COMPLETED') return false;
    throw new LeasedError(key);
  }
}

/** By its name, because this package does not depend on Powertools. */
function isTaken(error: unknown): error is Error & { existingRecord?: PersistedRecord } {
  return error instanceof Error && error.name === 'IdempotencyItemAlreadyExistsError';
}
