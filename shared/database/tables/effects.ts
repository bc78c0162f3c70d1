import type { ColumnType, Generated } from 'kysely';

/** One row for each effect outside of the database; `leased` of `warren/effects` writes it. */
export interface WarrenLeases {
  key: string;
  /** Identifies the delivery that has the lease. */
  claim: string;
  claimed_until: ColumnType<Date, Date, Date>;
  done_at: Date | null;
}

/** One row for each message that is not published yet; `transaction` of `warren/effects` writes it. */
export interface WarrenOutbox {
  id: string;
  vhost: string;
  /** Properties of the message as JSON, without its body. */
  message: string;
  /** Base64. */
  body: string;
  failures: Generated<number>;
  /** Of the last try. */
  error: string | null;
  created_at: Generated<Date>;
  due_at: Date;
}
