/**
 * A notice records that a friend is to be notified of a picture. The first picture after a quiet interval is mailed immediately; the
 * pictures of the interval after it are collected and mailed as one digest. Opening a mail and choosing its notices is one
 * transaction that locks the recipient, so that each notice is part of exactly one mail.
 */
import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { DigestLimits } from './digest-settings.ts';

type Db = Kysely<Database>;

/** Maximum number of pictures in a mail; the others wait for the next. */
const maxPictures = 500;

/** Days after which a notice without a mail is deleted, such as one of a deleted picture. */
const keptDays = 7;

/** Records that friends are to be notified of a picture. A second call changes nothing. */
export async function noteFriends(
  db: Db,
  picture: { id: number; userId: number },
  friends: readonly { id: number }[],
): Promise<void> {
  if (friends.length === 0) return;
  await db
    .insertInto('picture_notices')
    .values(friends.map(({ id }) => ({ picture_id: picture.id, user_id: id, from_user: picture.userId })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Makes a mail of a recipient's notices, if the limits allow another mail now. It contains no deleted picture, and none of a user who is
 * no longer a friend.
 *
 * @param pictureId the picture whose message makes the mail, and sends it, also if the message is delivered again.
 * @returns whether a mail was made; it is not sent yet.
 */
export async function openMail(
  db: Db,
  userId: number,
  { perDay, interval }: DigestLimits,
  pictureId?: number,
): Promise<string | undefined> {
  return db.transaction().execute(async (transaction) => {
    // A statement of its own, so that the next one sees what the previous holder of the lock did.
    const user = await transaction
      .selectFrom('users')
      .select('email')
      .where('id', '=', userId)
      .where('picture_mails', '=', true)
      .where('email', 'is not', null)
      .forUpdate()
      .executeTakeFirst();
    if (!user) return undefined;
    const key = `pictures:${userId}:${randomUUID()}`;
    const { rows } = await sql<{ picture_id: number }>`
      with chosen as (
        select picture_id from picture_notices as notice
        where user_id = ${userId} and mail_key is null and ${mayMail(userId, { perDay, interval })}
          and exists (select from pictures where id = notice.picture_id and deleted_at is null)
          and exists (select from friendships where user_id = notice.user_id and friend_id = notice.from_user)
          and exists (select from friendships where user_id = notice.from_user and friend_id = notice.user_id)
        order by picture_id = ${pictureId ?? 0} desc, noted_at, picture_id limit ${maxPictures}
      ),
      made as (
        insert into mails (key, recipient, picture_id, user_id, made_at)
        select ${key}, ${user.email}, ${pictureId ?? null}::bigint, ${userId}::bigint,
          clock_timestamp()
        where exists (select from chosen)
        returning key
      )
      update picture_notices set mail_key = made.key from made
      where user_id = ${userId} and picture_id in (select picture_id from chosen)
      returning picture_id`.execute(transaction);
    return rows.length > 0 ? key : undefined;
  });
}

/** Whether the limits allow another mail to a user now. */
const mayMail = (userId: unknown, { perDay, interval }: DigestLimits) => sql<boolean>`(
  select count(*) < ${perDay}
    and coalesce(max(made_at) + ${interval} * interval '1 second' <= clock_timestamp(), true)
  from mails where mails.user_id = ${userId} and made_at > clock_timestamp() - interval '1 day'
)`;

/** Users with notices, to whom the limits allow another mail now. */
export async function dueRecipients(db: Db, limits: DigestLimits, limit: number): Promise<number[]> {
  const { rows } = await sql<{ user_id: number }>`
    select user_id from (
      select user_id, min(noted_at) as since from picture_notices where mail_key is null group by user_id
    ) as waiting
    join users on users.id = waiting.user_id
    where picture_mails and email is not null and ${mayMail(sql.ref('waiting.user_id'), limits)}
    order by since limit ${limit}`.execute(db);
  return rows.map(({ user_id }) => user_id);
}

/**
 * Unsent mails of the last day whose process died or failed. The pause between two attempts grows to ten minutes.
 *
 * @param olderThan seconds for which a mail is left to the function that made it.
 */
export async function unsentMails(db: Db, olderThan: number): Promise<string[]> {
  const { rows } = await sql<{ key: string }>`
    select key from mails
      left join lateral (
        -- A mail without a lease was not tried yet.
        select coalesce(max(claimed_until), mails.made_at) as tried_at from warren_leases where key = mails.key
      ) as lease on true
    where sent_at is null and made_at > now() - interval '1 day'
      and exists (select from picture_notices where mail_key = mails.key)
      and now() - tried_at >= greatest(
        ${olderThan} * interval '1 second', least(tried_at - made_at, interval '10 minutes')
      )
    order by tried_at limit 1000`.execute(db);
  return rows.map(({ key }) => key);
}

/** The mail that the message of a picture made for a friend and that was not sent; undefined if there is none. */
export async function unsentMailOf(db: Db, pictureId: number, userId: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('mails')
    .select('key')
    .where('picture_id', '=', pictureId)
    .where('user_id', '=', userId)
    .where('sent_at', 'is', null)
    .executeTakeFirst();
  return row?.key;
}

/** Deletes notices that were not mailed within a week. */
export async function forgetNotices(db: Db): Promise<void> {
  await db
    .deleteFrom('picture_notices')
    .where('mail_key', 'is', null)
    .where('noted_at', '<', sql<Date>`now() - ${keptDays} * interval '1 day'`)
    .execute();
}
