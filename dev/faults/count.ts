import type { Kysely } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import type { Accepted, AcceptedPicture } from './accepted.ts';
import { type Count, compare } from './compare.ts';
import { countBookings } from './count-bookings.ts';
import { countPictures } from './count-pictures.ts';
import type { Parts } from './parts.ts';

/** Counts the effects of all that was accepted, and looks for unexpected effects; mails and calls are counted separately. */
export async function countEffects(parts: Parts, db: Kysely<Database>, accepted: Accepted): Promise<Count[]> {
  return [
    await countPictures(parts, db, accepted.pictures),
    await countPoints(db, accepted.pictures),
    await countUploadLog(db, accepted.pictures),
    await countAlertLog(db, accepted),
    countHooks(parts, accepted),
    await countBookings(db, accepted.orders),
  ];
}

async function countPoints(db: Kysely<Database>, accepted: readonly AcceptedPicture[]): Promise<Count> {
  const entries = await db.selectFrom('points_entries').select(['user_id', 'picture_id', 'points']).execute();
  const wanted = accepted.map(({ id, userId }) => `10 points for picture ${id} to user ${userId}`);
  const got = entries.map(
    (each) => `${each.points} points for picture ${each.picture_id} to user ${each.user_id}`,
  );
  return compare('points given', wanted, got);
}

async function countUploadLog(db: Kysely<Database>, accepted: readonly AcceptedPicture[]): Promise<Count> {
  const rows = await db.selectFrom('upload_log').select(['user_id', 'picture_id']).execute();
  return compare(
    'uploads logged',
    accepted.map(({ id, userId }) => `picture ${id} of user ${userId}`),
    rows.map((row) => `picture ${row.picture_id} of user ${row.user_id}`),
  );
}

async function countAlertLog(db: Kysely<Database>, { alerts }: Accepted): Promise<Count> {
  const rows = await db.selectFrom('alert_log').select(['message_id', 'routing_key']).execute();
  return compare(
    'alerts logged',
    alerts.filter(({ good }) => good).map(({ id, routingKey }) => `alert ${id}, ${routingKey}`),
    rows.map((row) => `alert ${row.message_id}, ${row.routing_key}`),
  );
}

/** Each alert reached the webhook. It is not counted how often: the key of each call lets a receiver recognize a repeated one. */
function countHooks({ hook }: Parts, { alerts }: Accepted): Count {
  const wanted = alerts.filter(({ routingKey }) => /\.hook$/.test(routingKey));
  const missing = wanted.filter(({ token }) => !hook.accepted.some((body) => body.includes(token)));
  const problems = missing.map(({ id }) => `missing: alert ${id}`);
  return { what: 'webhooks called', expected: wanted.length, got: wanted.length - missing.length, problems };
}
