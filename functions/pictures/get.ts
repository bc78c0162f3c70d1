/**
 * Triggered by `GET /pictures/{id}`: returns a picture to its owner, with its variants and points, and when friends were notified. It
 * does not show which of them get mails, and so not who has unsubscribed. Reads only.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { noSuchPicture, pictureIdOf } from '../../shared/pictures/own-pictures.ts';
import { readPicture, srcsets } from '../../shared/pictures/reading.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'url'>;
  authenticate: Authenticate;
  log?: Log;
}

export function createHandler({ db, storage, ...deps }: Deps) {
  return httpFunction(deps, async ({ event, user }) => {
    const picture = await readPicture(db, pictureIdOf(event));
    if (picture?.user_id !== user.id) throw noSuchPicture(event);
    const { created_at, updated_at, friends_notified_at, variants: found, ...row } = picture;
    const variants = await Promise.all(
      found.map(async ({ key, ...variant }) => ({ ...variant, url: await storage.url(key) })),
    );
    return json(200, {
      ...row,
      created_at: created_at.toISOString(),
      updated_at: updated_at.toISOString(),
      variants,
      ...(row.status === 'ready' && { srcset: srcsets(variants) }),
      friends_notified_at: friends_notified_at?.toISOString() ?? null,
    });
  });
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
