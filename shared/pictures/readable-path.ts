import type { Kysely } from 'kysely';
import { findCaller } from '../auth/identities.ts';
import type { Database } from '../database/schema.ts';

/** Identifies a picture by its id or its path. */
export interface PictureReference {
  image_id?: number | undefined;
  image_path?: string | undefined;
}

/**
 * Returns the path of a picture that the caller may see, undefined if there is none.
 *
 * @param caller key of the user who calls over HTTP; undefined for an AMQP client, which may see every picture.
 */
export async function findReadablePath(
  db: Kysely<Database>,
  picture: PictureReference,
  caller: unknown,
): Promise<string | undefined> {
  const { image_id, image_path } = picture;
  if (image_path !== undefined && caller === undefined) return image_path;
  const user = caller === undefined ? undefined : await findCaller(db, caller);
  if (caller !== undefined && user === undefined) return undefined;
  const row = await db
    .selectFrom('pictures')
    .select('image_path')
    .$if(image_id !== undefined, (query) => query.where('id', '=', Number(image_id)))
    .$if(image_path !== undefined, (query) => query.where('image_path', '=', String(image_path)))
    .$if(user !== undefined, (query) => query.where('user_id', '=', Number(user)))
    .executeTakeFirst();
  return row?.image_path;
}
