/**
 * Triggered by the queue `resize-picture`: makes the renditions of a picture, stores them and writes them down. Their
 * keys follow from the original's bytes and the settings, so that doing it again writes the same objects and rows.
 */
import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { readConfig } from '../../shared/config.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { RejectedError } from '../../shared/errors.ts';
import { inspect, makeVariants, type PictureInfo, variantSettings } from '../../shared/image/variants.ts';
import { whenCalled } from '../../shared/lazy.ts';
import { createLog, type Log } from '../../shared/log.ts';
import {
  ensurePicture,
  mostOriginalBytes,
  type PictureMessage,
  pictureMessage,
} from '../../shared/pictures.ts';
import { onMessages } from '../../shared/rabbitmq/messages.ts';
import { createPublisher, type PublisherLike } from '../../shared/rabbitmq/publisher.ts';
import { createStorage, type Storage } from '../../shared/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'get' | 'put'>;
  publisher: PublisherLike;
  log?: Log;
}

const extensions = { webp: 'webp', jpeg: 'jpg' } as const;

export function createHandler({ db, storage, ...deps }: Deps) {
  return onMessages({ schema: pictureMessage, concurrency: 2, ...deps }, async ({ body: message }) => {
    if ((await ensurePicture(db, message)) === 'deleted') return;
    try {
      const original = await storage.get(message.image_path, mostOriginalBytes);
      if (!original) throw new RejectedError(`image_path: "${message.image_path}" is not in the bucket`);
      const info = await inspect(original.body);
      const variants = await storeVariants(storage, message, original.body, info);
      await writeDown(db, message, { info, bytes: original.body.length, variants });
    } catch (error) {
      if (error instanceof RejectedError) await writeDownFailure(db, message, error.message);
      throw error;
    }
  });
}

async function storeVariants(
  storage: Pick<Storage, 'put'>,
  { image_id }: PictureMessage,
  original: Buffer,
  info: PictureInfo,
) {
  const hash = createHash('sha256').update(variantSettings).update(original).digest('hex').slice(0, 32);
  const rows: { width: number; height: number; format: string; key: string; bytes: number }[] = [];
  await makeVariants(original, info, async ({ body, format, width, height }) => {
    const key = `pictures/${image_id}/${hash}-${width}.${extensions[format]}`;
    await storage.put(key, body, `image/${format}`);
    rows.push({ width, height, format, key, bytes: body.length });
  });
  return rows;
}

async function writeDown(
  db: Kysely<Database>,
  { image_id }: PictureMessage,
  made: { info: PictureInfo; bytes: number; variants: Awaited<ReturnType<typeof storeVariants>> },
): Promise<void> {
  const { info, bytes, variants } = made;
  await db.transaction().execute(async (transaction) => {
    // First the picture's own row: its lock lets two deliveries write their variants one after the other.
    await transaction
      .updateTable('pictures')
      .set({ status: 'ready', reason: null, content_type: info.type, bytes, updated_at: sql<Date>`now()` })
      .set({ width: info.width, height: info.height })
      .where('id', '=', image_id)
      .execute();
    // Those of other bytes, where the original was replaced.
    await transaction
      .deleteFrom('variants')
      .where('picture_id', '=', image_id)
      .where(
        'key',
        'not in',
        variants.map(({ key }) => key),
      )
      .execute();
    await transaction
      .insertInto('variants')
      .values(variants.map((variant) => ({ picture_id: image_id, ...variant })))
      .onConflict((conflict) =>
        conflict.columns(['picture_id', 'width', 'format']).doUpdateSet(({ ref }) => ({
          height: ref('excluded.height'),
          key: ref('excluded.key'),
          bytes: ref('excluded.bytes'),
        })),
      )
      .execute();
  });
}

/** Its owner sees why; the message itself goes to the dead letters. */
async function writeDownFailure(
  db: Kysely<Database>,
  { image_id }: PictureMessage,
  reason: string,
): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ status: 'failed', reason, updated_at: sql<Date>`now()` })
    .where('id', '=', image_id)
    .execute();
}

export const handler = whenCalled(() => {
  const config = readConfig(['broker', 'database', 'storage', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    storage: createStorage(config.storage),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
