import type { ColumnType } from 'kysely';

/** One row for each effect outside of the database; `leased` of `warren/effects` writes it. */
export interface WarrenLeases {
  key: string;
  /** Identifies the delivery that has the lease. */
  claim: string;
  claimed_until: ColumnType<Date, Date, Date>;
  done_at: Date | null;
}
