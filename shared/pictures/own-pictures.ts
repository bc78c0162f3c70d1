import type { Kysely } from 'kysely';
import { type HttpEvent, Problem } from 'warren/http';
import type { User } from '../auth/tokens.ts';
import { id } from '../database/id.ts';
import type { Database } from '../database/schema.ts';
import type { PictureStatus } from '../database/tables/pictures.ts';

/** A picture, for its owner. */
export interface OwnPicture {
  id: number;
  user_id: number;
  image_path: string;
  status: PictureStatus;
  content_type: string | null;
  bytes: number | null;
}

/**
 * The id in a route of `/pictures/{id}`.
 *
 * @throws Problem 404 where it can be none.
 */
export function pictureIdOf(event: HttpEvent): number {
  const result = id.safeParse(event.pathParameters?.['id']);
  if (result.success) return result.data;
  throw noSuchPicture(event);
}

/**
 * The picture that a route of `/pictures/{id}` is about.
 *
 * @throws Problem 404 where the user has no such picture, or has deleted it.
 */
export async function findPicture(db: Kysely<Database>, event: HttpEvent, user: User): Promise<OwnPicture> {
  const picture = await db
    .selectFrom('pictures')
    .select(['id', 'user_id', 'image_path', 'status', 'content_type', 'bytes'])
    .where('id', '=', pictureIdOf(event))
    .where('user_id', '=', user.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (!picture) throw noSuchPicture(event);
  return picture;
}

/** Whether somebody else's picture exists is nobody's business: the same for it as for none. */
export function noSuchPicture(event: HttpEvent): Problem {
  return new Problem(404, 'No such picture', `id: you have no picture ${event.pathParameters?.['id']}`);
}
