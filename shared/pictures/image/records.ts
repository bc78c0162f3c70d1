import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/schema.ts';
import type { PictureMessage } from '../picture.ts';
import type { PictureInfo } from './inspect.ts';
import type { Placeholder } from './placeholder.ts';

/** What was made of a picture. */
export interface Made {
  info: PictureInfo;
  /** Of the original. */
  bytes: number;
  placeholder: Placeholder;
  variants: { width: number; height: number; format: string; key: string; bytes: number }[];
}

/**
 * Says that a picture is being worked on, where nothing was said of it before: work that is done again takes nothing back.
 *
 * @returns whether there is anything to do: not where its owner has deleted it.
 */
export async function writeStart(db: Kysely<Database>, id: number): Promise<boolean> {
  const row = await db
    .updateTable('pictures')
    .set({
      status: sql`case when status in ('awaiting', 'uploaded') then 'resizing' else status end`,
      updated_at: sql<Date>`now()`,
    })
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Writes down what was made, in place of what was made before.
 *
 * @returns whether it was: not where the picture was deleted meanwhile.
 */
export async function writeDown(db: Kysely<Database>, id: number, made: Made): Promise<boolean> {
  const { info, bytes, placeholder, variants } = made;
  return db.transaction().execute(async (transaction) => {
    // First the picture's own row: its lock lets two deliveries write their variants one after the other.
    const row = await transaction
      .updateTable('pictures')
      .set({ status: 'ready', reason: null, content_type: info.type, bytes, updated_at: sql<Date>`now()` })
      .set({ width: info.width, height: info.height, ...placeholder })
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .returning('id')
      .executeTakeFirst();
    if (!row) return false;
    const keys = variants.map(({ key }) => key);
    // Those of other bytes or other settings.
    await transaction
      .deleteFrom('variants')
      .where('picture_id', '=', id)
      .where('key', 'not in', keys)
      .execute();
    await transaction
      .insertInto('variants')
      .values(variants.map((variant) => ({ picture_id: id, ...variant })))
      .onConflict((conflict) =>
        conflict.columns(['picture_id', 'width', 'format']).doUpdateSet(({ ref }) => ({
          height: ref('excluded.height'),
          key: ref('excluded.key'),
          bytes: ref('excluded.bytes'),
        })),
      )
      .execute();
    return true;
  });
}

/**
 * Its owner sees why, except of a picture that was ready once: what was made of it is still there. A message that says
 * another owner or path than the row does, fails nobody's picture.
 */
export async function writeFailure(
  db: Kysely<Database>,
  { image_id, user_id, image_path }: PictureMessage,
  reason: string,
): Promise<void> {
  await db
    .updateTable('pictures')
    .set({ status: 'failed', reason, updated_at: sql<Date>`now()` })
    .where('id', '=', image_id)
    .where('user_id', '=', user_id)
    .where('image_path', '=', image_path)
    .where('deleted_at', 'is', null)
    .where('status', '<>', 'ready')
    .execute();
}
