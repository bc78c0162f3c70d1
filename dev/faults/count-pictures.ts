import type { Kysely } from 'kysely';
import pLimit from 'p-limit';
import pRetry from 'p-retry';
import sharp from 'sharp';
import { UnavailableError } from '../../runtime/base/errors.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import type { Database } from '../../shared/database/schema.ts';
import { variantSettings } from '../../shared/pictures/image/resource.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage, type Storage } from '../../shared/storage/storage.ts';
import type { AcceptedPicture } from './accepted.ts';
import type { Count } from './compare.ts';
import type { Parts } from './parts.ts';
import type { Photo } from './photos.ts';

const formats = ['jpeg', 'webp'];

/** Exactly the accepted pictures are finished, and the bucket matches the database. */
export async function countPictures(
  { direct }: Parts,
  db: Kysely<Database>,
  accepted: readonly AcceptedPicture[],
): Promise<Count> {
  const { widths } = readSettings({ variants: variantSettings }, {}).variants.PICTURE_VARIANTS;
  const storage = createStorage(readSettings({ storage: storageSettings }, direct).storage);
  const rows = await db.selectFrom('pictures').select(['id', 'status']).execute();
  const photos = new Map(accepted.map(({ id, photo }) => [id, photo]));
  const problems: string[] = [];

  const look = async ({ id, status }: (typeof rows)[number]) => {
    if (!photos.has(id)) problems.push(`picture ${id} was never accepted`);
    const photo = photos.get(id);
    const end = photo ? 'ready' : 'failed';
    if (status !== end) problems.push(`picture ${id} is ${status}, not ${end}`);
    const wanted = wantedVariants(photo, widths);
    const variants = await db.selectFrom('variants').selectAll().where('picture_id', '=', id).execute();
    const written = variants.map(({ width, height, format }) => `${width}x${height} ${format}`);
    // The storage of a machine under load may not answer in time.
    const stored = await pRetry(() => storedVariants(storage, id), {
      retries: 5,
      shouldRetry: ({ error }) => error instanceof UnavailableError,
    });
    for (const [where, got] of [['database', written] as const, ['bucket', stored] as const]) {
      const list = (each: readonly string[]) => [...each].sort().join(', ') || 'none';
      if (list(got) === list(wanted)) continue;
      problems.push(`variants of picture ${id} in the ${where}: ${list(got)}, not ${list(wanted)}`);
    }
    photos.delete(id);
  };
  await pLimit(8).map(rows, look);
  for (const id of photos.keys()) problems.push(`picture ${id} is missing`);
  return { what: 'pictures finished', expected: accepted.length, got: rows.length, problems };
}

function wantedVariants(photo: Photo | undefined, widths: readonly number[]): string[] {
  if (!photo) return [];
  const targets = new Set(widths.map((width) => Math.min(width, photo.width)));
  return [...targets].flatMap((width) => {
    const height = Math.round((photo.height * width) / photo.width);
    return formats.map((format) => `${width}x${height} ${format}`);
  });
}

/** Reads the objects themselves, not only their keys. */
async function storedVariants(storage: Storage, id: number): Promise<string[]> {
  const keys = await storage.list(`pictures/${id}/`);
  return Promise.all(
    keys.map(async (key) => {
      const object = await storage.get(key, 10_000_000);
      const { width, height, format } = await sharp(object?.body).metadata();
      return `${width}x${height} ${format}`;
    }),
  );
}
