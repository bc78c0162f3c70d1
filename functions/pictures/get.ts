/** Triggered by `GET /pictures/{id}`: tells the owner of a picture what became of it. Reads only. */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { noSuchPicture, pictureIdOf } from '../../shared/pictures/own-pictures.ts';
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
      notifications: notifications.map(({ user_id, sent_at }) => ({
        user_id,
        status: sent_at ? 'sent' : 'pending',
        ...(sent_at && { sent_at: sent_at.toISOString() }),
      })),
    });
  });
}

/** Ready to paste into `<source srcset>`, a text for each format (HTML, 4.8.4.2). */
function srcsets(variants: { format: string; width: number; url: string }[]): Record<string, string> {
  const formats = new Set(variants.map(({ format }) => format));
  const srcset = (format: string) =>
    variants.flatMap((each) => (each.format === format ? `${each.url} ${each.width}w` : [])).join(', ');
  return Object.fromEntries([...formats].map((format) => [format, srcset(format)]));
}

async function readPicture(db: Kysely<Database>, pictureId: number) {
  const [picture, variants, points, notifications] = await Promise.all([
    db
      .selectFrom('pictures')
      .select(['id as image_id', 'user_id', 'status', 'reason', 'content_type', 'bytes', 'width', 'height'])
      .select(['created_at', 'updated_at', 'thumbhash', 'color'])
      .where('id', '=', pictureId)
      .where('deleted_at', 'is', null)
      .executeTakeFirst(),
    db
      .selectFrom('variants')
      .select(['width', 'height', 'format', 'bytes', 'key'])
      .where('picture_id', '=', pictureId)
      .orderBy('width')
      .orderBy('format', 'desc')
      .execute(),
    db
      .selectFrom('points_entries')
      .select(({ fn }) => fn.sum<number | null>('points').as('points'))
      .where('picture_id', '=', pictureId)
      .executeTakeFirstOrThrow(),
    db
      .selectFrom('mails')
      .select(['user_id', 'sent_at'])
      .where('picture_id', '=', pictureId)
      .orderBy('user_id')
      .execute(),
  ]);
  return picture && { ...picture, variants, points: points.points ?? 0, notifications };
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
