import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';

type Db = Kysely<Database>;

/**
 * A picture with its variants and points; undefined if there is none, or it is deleted. The queries run one after
 * the other, because each at the same time would take a connection of its own.
 */
export async function readPicture(db: Db, pictureId: number) {
  const picture = await db
    .selectFrom('pictures')
    .select(['id as image_id', 'user_id', 'status', 'reason', 'content_type', 'bytes', 'width', 'height'])
    .select(['created_at', 'updated_at', 'friends_notified_at', 'thumbhash', 'color'])
    .where('id', '=', pictureId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (!picture) return undefined;
  const variants = await db
    .selectFrom('variants')
    .select(['width', 'height', 'format', 'bytes', 'key'])
    .where('picture_id', '=', pictureId)
    .orderBy('width')
    .orderBy('format', 'desc')
    .execute();
  const { points } = await db
    .selectFrom('points_entries')
    .select(({ fn }) => fn.sum<number | null>('points').as('points'))
    .where('picture_id', '=', pictureId)
    .executeTakeFirstOrThrow();
  return { ...picture, variants, points: points ?? 0 };
}

export interface Page {
  userId: number;
  /** Only pictures with a smaller id, default all. */
  before?: number | undefined;
  limit: number;
}

/** Pictures of a user, newest first. */
export async function readPictures(db: Db, { userId, before = Number.MAX_SAFE_INTEGER, limit }: Page) {
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

/** By picture, the narrowest variant, in WebP if there is one. */
export async function readThumbnails(db: Db, pictures: readonly number[]) {
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

/** By format, a text for `<source srcset>` (HTML, 4.8.4.2). */
export function srcsets(
  variants: readonly { format: string; width: number; url: string }[],
): Record<string, string> {
  const formats = new Set(variants.map(({ format }) => format));
  const srcset = (format: string) =>
    variants.flatMap((each) => (each.format === format ? `${each.url} ${each.width}w` : [])).join(', ');
  return Object.fromEntries([...formats].map((format) => [format, srcset(format)]));
}
