/**
 * Triggered by the queue `describe-picture`: answers a call with the size, format and length of a picture in the bucket,
 * named by its id or by its path. A caller from HTTP is told about its own pictures only. Reads only.
 */

import type { Kysely } from 'kysely';
import {
  CallError,
  callerHeader,
  type Log,
  lambda,
  log,
  onCalls,
  type PublisherLike,
  publisher,
} from 'warren/functions';
import { z } from 'zod';
import { id } from '../../shared/database/id.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { inspect } from '../../shared/pictures/image/inspect.ts';
import { imagePath } from '../../shared/pictures/message.ts';
import { maxOriginalBytes } from '../../shared/pictures/originals.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

const request = z
  .object({ image_id: id.optional(), image_path: imagePath.optional() })
  .refine((body) => (body.image_id === undefined) !== (body.image_path === undefined), {
    error: 'expected either image_id or image_path',
  });

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'get'>;
  publisher: PublisherLike;
  log?: Log;
}

export function createHandler({ db, storage, ...deps }: Deps) {
  return onCalls({ schema: request, ...deps }, async ({ body, headers }) => {
    const path = await findPath(db, body, headers[callerHeader]);
    const object = path === undefined ? undefined : await storage.get(path, maxOriginalBytes);
    if (!object) throw new CallError(404, 'No such picture', 'there is no such picture, or it is not yours');
    const { type, width, height } = await inspect(object.body);
    return { width, height, format: type.replace('image/', ''), bytes: object.body.length };
  });
}

/** @param caller the user on whose behalf the call is made; any AMQP client may see every picture. */
async function findPath(db: Kysely<Database>, body: z.output<typeof request>, caller: unknown) {
  const { image_id, image_path } = body;
  if (image_path !== undefined && caller === undefined) return image_path;
  const user = id.optional().safeParse(caller);
  if (!user.success) return undefined;
  const row = await db
    .selectFrom('pictures')
    .select('image_path')
    .$if(image_id !== undefined, (query) => query.where('id', '=', Number(image_id)))
    .$if(image_path !== undefined, (query) => query.where('image_path', '=', String(image_path)))
    .$if(user.data !== undefined, (query) => query.where('user_id', '=', Number(user.data)))
    .executeTakeFirst();
  return row?.image_path;
}

export const handler = lambda({ db: database, storage, publisher, log }, createHandler);
