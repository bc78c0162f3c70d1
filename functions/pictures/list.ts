/** Triggered by `GET /pictures`: tells a user of the own pictures, newest first, page by page. Reads only. */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, readQuery } from 'warren/http';
import { z } from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { id } from '../../shared/database/id.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'url'>;
  authenticate: Authenticate;
  log?: Log;
}

const expectedLimit = 'expected a whole number from 1 to 100';
const query = z.object({
  before: id.optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, expectedLimit)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= 100, expectedLimit)
    .default(20),
});

export function createHandler({ db, storage, ...deps }: Deps) {
  return httpFunction(deps, async ({ event, user }) => {
    const { before, limit } = readQuery(event, query);
    const found = await readPictures(db, { userId: user.id, before, limit: limit + 1 });
    const pictures = found.slice(0, limit);
    const thumbnails = await readThumbnails(
      db,
      pictures.map(({ image_id }) => image_id),
    );
    const last = pictures.at(-1)?.image_id;
    return json(200, {
      pictures: await Promise.all(
        pictures.map(async (picture) => {
          const { key, ...size } = thumbnails.get(picture.image_id) ?? {};
          return {
            ...picture,
            thumbnail: key === undefined ? null : { url: await storage.url(key), ...size },
          };
        }),
      ),
      next: found.length > limit ? `/pictures?before=${last}&limit=${limit}` : null,
    });
  });
}

async function readPictures(
  db: Kysely<Database>,
  {
    userId,
    before = Number.MAX_SAFE_INTEGER,
    limit,
  }: { userId: number; before?: number | undefined; limit: number },
) {
  return db
    .selectFrom('pictures')
    .select(['id as image_id', 'status', 'created_at', 'width', 'height', 'thumbhash', 'color'])
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .where('id', '<', before)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** The narrowest rendition of each, in WebP where there is one. */
async function readThumbnails(db: Kysely<Database>, pictures: readonly number[]) {
  if (pictures.length === 0) return new Map<number, { key: string; width: number; height: number }>();
  const rows = await db
    .selectFrom('variants')
    .innerJoin('pictures', 'pictures.id', 'variants.picture_id')
    .distinctOn('picture_id')
    .select(['picture_id', 'variants.width', 'variants.height', 'key'])
    .where('picture_id', 'in', pictures)
    .where('status', '=', 'ready')
    .orderBy('picture_id')
    .orderBy('variants.width')
    .orderBy('format', 'desc')
    .execute();
  return new Map(rows.map(({ picture_id, ...thumbnail }) => [picture_id, thumbnail]));
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
