/** Triggered by `GET /pictures/{id}`: returns a picture to its owner, with its variants, points and notifications. Reads only. */
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
    const { created_at, updated_at, variants: found, points, notifications, ...row } = picture;
    const variants = await Promise.all(
      found.map(async ({ key, ...variant }) => ({ ...variant, url: await storage.url(key) })),
    );
    return json(200, {
      ...row,
      created_at: created_at.toISOString(),
      updated_at: updated_at.toISOString(),
      variants,
      ...(row.status === 'ready' && { srcset: srcsets(variants) }),
      points,
      notifications: notifications.map(({ user_id, sent_at, mail_key }) => ({
        user_id,
        // Collected: it waits for the friend's next digest.
        status: sent_at ? 'sent' : mail_key === null ? 'collected' : 'pending',
        ...(sent_at && { sent_at: sent_at.toISOString() }),
      })),
    });
  });
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
