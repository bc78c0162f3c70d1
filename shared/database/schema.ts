import type { AlertBacklog, AlertDigests, AlertLog, AlertPauses, AlertSeen } from './tables/alerts.ts';
import type { Bookings, Walkers } from './tables/bookings.ts';
import type { WarrenLeases, WarrenOutbox } from './tables/effects.ts';
import type { IdempotencyKeys, RateLimits } from './tables/http.ts';
import type {
  Mails,
  PictureNotices,
  Pictures,
  PointsEntries,
  UploadLog,
  Variants,
} from './tables/pictures.ts';
import type { Friendships, UserIdentities, Users } from './tables/users.ts';

/** The tables, as Kysely types its queries. Ids are bigint in the database and safe integers here. */
export interface Database {
  users: Users;
  user_identities: UserIdentities;
  friendships: Friendships;
  pictures: Pictures;
  variants: Variants;
  points_entries: PointsEntries;
  mails: Mails;
  picture_notices: PictureNotices;
  upload_log: UploadLog;
  alert_log: AlertLog;
  alert_backlog: AlertBacklog;
  alert_digests: AlertDigests;
  alert_seen: AlertSeen;
  alert_pauses: AlertPauses;
  idempotency_keys: IdempotencyKeys;
  walkers: Walkers;
  bookings: Bookings;
  rate_limits: RateLimits;
  warren_leases: WarrenLeases;
  warren_outbox: WarrenOutbox;
}
