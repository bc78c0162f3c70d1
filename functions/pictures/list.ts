/** Triggered by `GET /pictures`: returns a user's own pictures, newest first, page by page. Reads only. */
import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, readQuery } from 'warren/http';
import * as z from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { id } from '../../shared/database/id.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { readPictures, readThumbnails } from '../../shared/pictures/reading.ts';
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
    const page = found.slice(0, limit);
    const thumbnails = await readThumbnails(
      db,
      page.map(({ image_id }) => image_id),
    );
    const withThumbnail = async (picture: (typeof page)[number]) => {
      const { key, ...size } = thumbnails.get(picture.image_id) ?? {};
      const thumbnail = key === undefined ? null : { url: await storage.url(key), ...size };
      return { ...picture, thumbnail };
    };
    const more = found.length > limit;
    return json(200, {
      pictures: await Promise.all(page.map(withThumbnail)),
      next: more ? `/pictures?before=${page.at(-1)?.image_id}&limit=${limit}` : null,
    });
  });
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
