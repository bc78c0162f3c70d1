import type { ColumnType, Generated } from 'kysely';

/** The tables, as Kysely types its queries. Ids are bigint in the database and safe integers here. */
export interface Database {
  users: Users;
  friendships: Friendships;
  pictures: Pictures;
  variants: Variants;
  points_entries: PointsEntries;
  mails: Mails;
  upload_log: UploadLog;
  alert_log: AlertLog;
  alert_backlog: AlertBacklog;
  alert_digests: AlertDigests;
  alert_seen: AlertSeen;
  idempotency_keys: IdempotencyKeys;
  walkers: Walkers;
  bookings: Bookings;
  rate_limits: RateLimits;
}

/**
 * `awaiting` a large upload that was signed for but not completed yet; `uploaded` until a function works on it, which is
 * `resizing`; then `ready`, or `failed` where it turned out that it never can be.
 */
export type PictureStatus = 'awaiting' | 'uploaded' | 'resizing' | 'ready' | 'failed';

interface Users {
  id: number;
  name: string;
  email: string;
  /** Whether the user wants mails about friends' pictures. */
  picture_mails: Generated<boolean>;
}

/** One row a direction. */
interface Friendships {
  user_id: number;
  friend_id: number;
}

interface Pictures {
  id: Generated<number>;
  user_id: number;
  /** Key of the original in the bucket. */
  image_path: string;
  status: Generated<PictureStatus>;
  /** Why it failed, for its owner. */
  reason: string | null;
  content_type: string | null;
  bytes: number | null;
  /** Of the picture as it is shown: its orientation applied. */
  width: number | null;
  height: number | null;
  /** In base64; a placeholder of some 25 bytes. */
  thumbhash: string | null;
  /** The dominant one, as `#rrggbb`. */
  color: string | null;
  /** When the broker confirmed the message about it; null for one that nobody works on yet. */
  announced_at: Date | null;
  /** Until when somebody is announcing it. */
  announcing_until: Date | null;
  deleted_at: Date | null;
  /** When nothing of a deleted one was left in the bucket. */
  removed_at: Date | null;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

interface Variants {
  picture_id: number;
  width: number;
  height: number;
  format: string;
  key: string;
  bytes: number;
}

/** The ledger: a balance is the sum of its entries. */
interface PointsEntries {
  id: Generated<number>;
  user_id: number;
  picture_id: number;
  reason: string;
  points: number;
  created_at: Generated<Date>;
}

/** One row a mail or text message; a lease keeps a second delivery from sending it too. */
interface Mails {
  key: string;
  recipient: string;
  picture_id: number | null;
  /** Who gets it, where it is a user. */
  user_id: number | null;
  /** Tells the delivery that holds the lease. */
  claim: string;
  claimed_until: ColumnType<Date, Date, Date>;
  sent_at: Date | null;
}

interface UploadLog {
  picture_id: number;
  user_id: number;
  image_path: string;
  message_id: string | null;
  logged_at: Generated<Date>;
}

interface AlertLog {
  id: Generated<number>;
  message_id: string | null;
  routing_key: string | null;
  /** As it came. */
  content: ColumnType<unknown, string, never>;
  logged_at: Generated<Date>;
}

/** Alerts that wait for their channel. */
interface AlertBacklog {
  id: Generated<number>;
  /** Of the alert's key. */
  hash: string;
  queue: string;
  alert: ColumnType<unknown, string, never>;
  raised_at: Date;
}

/** Alerts that are the same as one before them; one row a key, while there are any. */
interface AlertDigests {
  queue: string;
  dedup_key: string;
  opened_at: Date;
  /** How many nobody was told of yet, and when they were raised. */
  more: number;
  first_at: Date | null;
  last_at: Date | null;
  /** The last one, or the first while there is no other. */
  last: ColumnType<unknown, string, string>;
  /** Seconds. */
  summary_interval: number;
  due_at: Date;
}

interface AlertSeen {
  /** Of the alert's key. */
  hash: string;
  seen_at: Generated<Date>;
}

/** One row for each request that may be sent again; see `shared/http/idempotency.ts`. */
interface IdempotencyKeys {
  user_id: number;
  key: string;
  /** A hash of what was asked for. */
  request: string;
  /** Kept for the picture that the request makes. */
  picture_id: Generated<number>;
  /** Kept for what else it makes. */
  request_id: Generated<string>;
  claim: string;
  claimed_until: ColumnType<Date, Date, Date>;
  /** What was answered, when it was. */
  reply: ColumnType<unknown, string | null, string | null>;
  created_at: Generated<Date>;
}

interface Walkers {
  id: Generated<number>;
  name: string;
  email: string;
  /** Where text messages go; null for a walker who gets none. */
  phone: string | null;
}

/** `waiting` until a function works on it, and while no walker is free; `declined` where none ever was. */
export type BookingStatus = 'waiting' | 'booked' | 'declined';

/** One row an order. A walker has at most one at a time: a constraint of the table. */
interface Bookings {
  /** Given out by whoever places the order. */
  id: string;
  number: Generated<number>;
  service: 'walk' | 'wash';
  user_id: number;
  dog: string;
  starts_at: Date;
  ends_at: Date;
  status: Generated<BookingStatus>;
  walker_id: number | null;
  /** As it was told to the customer. */
  walker_name: string | null;
  /** The walk that comes with a wash. */
  walk_id: string | null;
  created_at: Generated<Date>;
  booked_at: Date | null;
}

/** One row for each user who has used up a part of a limit; see `shared/http/rate-limit.ts`. */
interface RateLimits {
  /** What is limited: "uploads", say. */
  action: string;
  user_id: number;
  /** When nothing of the limit is used any more. */
  used_until: Date;
}
