/**
 * The ledger of points. It has at most one entry for a picture and a reason, so that a second delivery or request adds nothing.
 */
import { type Expression, type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/** Points for an upload. */
const upload = { reason: 'upload', points: 10 } as const;

/** Reason of the entry that takes back the points for a picture. */
const deletedReason = 'picture deleted';

/** Gives the owner of a picture the points for it, unless it was deleted. */
export async function givePoints(db: Db, pictureId: number): Promise<void> {
  // Locks the row: a deletion takes back any points that it finds, and no points are given after it.
  const picture = db
    .selectFrom('pictures')
    .select(['user_id', 'id as picture_id', sql.lit(upload.reason).as('reason')])
    .select(sql.lit(upload.points).as('points'))
    .where('id', '=', pictureId)
    .where('deleted_at', 'is', null)
    .forShare();
  await addEntries(db, picture);
}

/** Takes back the points for a picture. The caller holds the lock on its row. */
export async function takeBackPoints(db: Db, pictureId: number): Promise<void> {
  const entries = db
    .selectFrom('points_entries')
    .select(['user_id', 'picture_id', sql.lit(deletedReason).as('reason')])
    .select(sql<number>`-sum(points)`.as('points'))
    .where('picture_id', '=', pictureId)
    .groupBy(['user_id', 'picture_id'])
    .having(sql<boolean>`sum(points) <> 0`);
  await addEntries(db, entries);
}

interface Entry {
  user_id: number;
  picture_id: number;
  reason: string;
  points: number;
}

async function addEntries(db: Db, entries: Expression<Entry>): Promise<void> {
  await db
    .insertInto('points_entries')
    .columns(['user_id', 'picture_id', 'reason', 'points'])
    .expression(entries)
    .onConflict((conflict) => conflict.columns(['picture_id', 'reason']).doNothing())
    .execute();
}

/** The balance of a user, and the latest entries, newest first. */
export async function readPoints(db: Db, userId: number, limit: number) {
  const entriesOfUser = db.selectFrom('points_entries').where('user_id', '=', userId);
  const [{ balance }, entries] = await Promise.all([
    entriesOfUser.select(({ fn }) => fn.sum<number | null>('points').as('balance')).executeTakeFirstOrThrow(),
    entriesOfUser
      .select(['picture_id as image_id', 'reason', 'points', 'created_at'])
      .orderBy('id', 'desc')
      .limit(limit)
      .execute(),
  ]);
  return { balance: balance ?? 0, entries };
}
