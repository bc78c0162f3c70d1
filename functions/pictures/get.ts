/** Triggered by `GET /pictures/{id}`: tells the owner of a picture what became of it. Reads only. */
import type { Kysely } from 'kysely';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { noSuchPicture, pictureIdOf } from '../../shared/pictures/own-pictures.ts';
import { createStorage, type Storage } from '../../shared/storage/storage.ts';

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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['database', 'storage', 'auth', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    storage: createStorage(config.storage),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
