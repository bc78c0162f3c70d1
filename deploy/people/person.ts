/** Everything that is stored about a person, and how it is removed. */
import type { Kysely } from 'kysely';
import { identityKey } from '../../shared/auth/identity.ts';
import { type CanceledWalk, forgetCustomer } from '../../shared/bookings/forgetting.ts';
import type { Database } from '../../shared/database/schema.ts';
import { countedId } from '../../shared/http/rate-limit.ts';
import { deletePicture, removeObjects } from '../../shared/pictures/removal.ts';
import { clearForgotten } from '../../shared/pictures/state.ts';
import type { Storage } from '../../shared/storage/storage.ts';

type Db = Kysely<Database>;

/**
 * Every row about a user, by table. Objects of pictures are named by their keys in the bucket.
 *
 * @param userId also of a user without a row in `users`, whom only our own tokens name.
 */
export async function exportPerson(db: Db, userId: number) {
  const [users, identities] = await Promise.all([
    db.selectFrom('users').selectAll().where('id', '=', userId).execute(),
    db.selectFrom('user_identities').selectAll().where('user_id', '=', userId).execute(),
  ]);
  const pictures = await db.selectFrom('pictures').selectAll().where('user_id', '=', userId).execute();
  const addresses = users.flatMap(({ email }) => (email === null ? [] : [email]));
  const [friendships, variants, points_entries, picture_notices, mails] = await Promise.all([
    db
      .selectFrom('friendships')
      .selectAll()
      .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('friend_id', '=', userId)]))
      .execute(),
    db.selectFrom('variants').selectAll().where('picture_id', 'in', picturesOf(db, userId)).execute(),
    db.selectFrom('points_entries').selectAll().where('user_id', '=', userId).execute(),
    db
      .selectFrom('picture_notices')
      .selectAll()
      .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('from_user', '=', userId)]))
      .execute(),
    db
      .selectFrom('mails')
      .selectAll()
      .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('recipient', 'in', ['', ...addresses])]))
      .execute(),
  ]);
  const [upload_log, bookings, idempotency_keys, rate_limits] = await Promise.all([
    db.selectFrom('upload_log').selectAll().where('user_id', '=', userId).execute(),
    db.selectFrom('bookings').selectAll().where('user_id', '=', userId).execute(),
    db.selectFrom('idempotency_keys').selectAll().where('user_id', '=', userId).execute(),
    db.selectFrom('rate_limits').selectAll().where('user_id', 'in', countedIds(userId, identities)).execute(),
  ]);
  return {
    users,
    user_identities: identities,
    friendships,
    pictures,
    variants,
    points_entries,
    picture_notices,
    mails,
    upload_log,
    bookings,
    idempotency_keys,
    rate_limits,
  };
}

/** In the database, because a statement has at most 65,535 parameters. */
const picturesOf = (db: Db, userId: number) =>
  db.selectFrom('pictures').select('pictures.id').where('pictures.user_id', '=', userId);

const countedIds = (userId: number, identities: readonly { issuer: string; subject: string }[]): number[] => [
  userId,
  ...identities.map((identity) => countedId(identityKey(identity))),
];

/** What was removed of a person. */
export interface Forgotten {
  pictures: number;
  rows: number;
  /** Booked walks that do not take place, and whose walkers do not know it. */
  canceled: CanceledWalk[];
}

/**
 * Deletes a person: the objects of all pictures, then all rows. Rows of pictures and bookings stay without anything about the person,
 * because messages in flight need them. A call that failed is repeated: the user's own row is deleted last.
 *
 * @throws UnavailableError if the storage or the database is unavailable.
 */
export async function forgetPerson(
  { db, storage }: { db: Db; storage: Pick<Storage, 'list' | 'remove'> },
  userId: number,
): Promise<Forgotten> {
  const { pictures, ...stored } = await exportPerson(db, userId);
  for (const { id: pictureId } of pictures) {
    const picture = await deletePicture(db, { pictureId, userId });
    if (picture) await removeObjects({ db, storage }, picture);
  }
  const canceled = await db.transaction().execute(async (transaction) => {
    await clearForgotten(transaction, userId);
    await deleteRows(transaction, userId, stored);
    const walks = await forgetCustomer(transaction, userId);
    await transaction.deleteFrom('users').where('id', '=', userId).execute();
    return walks;
  });
  const rows = Object.values(stored).reduce((sum, list) => sum + list.length, 0);
  return { pictures: pictures.length, rows, canceled };
}

type Stored = Omit<Awaited<ReturnType<typeof exportPerson>>, 'pictures'>;

async function deleteRows(db: Db, userId: number, { users, user_identities }: Stored): Promise<void> {
  const addresses = users.flatMap(({ email }) => (email === null ? [] : [email]));
  await db
    .deleteFrom('friendships')
    .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('friend_id', '=', userId)]))
    .execute();
  await db
    .deleteFrom('picture_notices')
    .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('from_user', '=', userId)]))
    .execute();
  await db
    .deleteFrom('mails')
    .where(({ eb, or }) => or([eb('user_id', '=', userId), eb('recipient', 'in', ['', ...addresses])]))
    .execute();
  await db.deleteFrom('variants').where('picture_id', 'in', picturesOf(db, userId)).execute();
  await db.deleteFrom('rate_limits').where('user_id', 'in', countedIds(userId, user_identities)).execute();
  for (const table of ['points_entries', 'upload_log', 'idempotency_keys'] as const) {
    await db.deleteFrom(table).where('user_id', '=', userId).execute();
  }
}
