import type { Kysely } from 'kysely';
import { type HttpEvent, Problem } from 'warren/http';
import type { User } from '../auth/tokens.ts';
import { id } from '../database/id.ts';
import type { Database } from '../database/schema.ts';
import type { PictureStatus } from '../database/tables/pictures.ts';

/** The fields of a picture that its owner's requests need. */
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
 * @throws Problem 404 if it cannot be an id.
 */
export function pictureIdOf(event: HttpEvent): number {
  const result = id.safeParse(event.pathParameters?.['id']);
  if (result.success) return result.data;
  throw noSuchPicture(event);
}

/**
 * The picture of a route of `/pictures/{id}`.
 *
 * @throws Problem 404 if the user has no such picture, or has deleted it.
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

/** The same answer for another user's picture as for none, so that it does not reveal which exist. */
export function noSuchPicture(event: HttpEvent): Problem {
  return new Problem(404, 'No such picture', `id: you have no picture ${event.pathParameters?.['id']}`);
}
