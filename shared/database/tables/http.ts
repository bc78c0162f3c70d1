import type { ColumnType, Generated } from 'kysely';

/** One row for each request that may be sent again; see `shared/http/idempotency.ts`. */
export interface IdempotencyKeys {
  user_id: number;
  key: string;
  /** Hash of the request. */
  request: string;
  /** Reserved for the picture that the request makes. */
  picture_id: Generated<number>;
  /** Reserved for anything else that the request makes. */
  request_id: Generated<string>;
  claim: string;
  claimed_until: ColumnType<Date, Date, Date>;
  /** The answer; null before there is one. */
  reply: ColumnType<unknown, string | null, string | null>;
  created_at: Generated<Date>;
}

/** One row for each user who has used a part of a limit; see `shared/http/rate-limit.ts`. */
export interface RateLimits {
  /** What is counted together, such as "uploads". */
  action: string;
  user_id: number;
  /** When nothing of the limit is used any more. */
  used_until: Date;
}
