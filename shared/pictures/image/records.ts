import type { Kysely } from 'kysely';
import type { Database } from '../../database/schema.ts';
import { markReady } from '../state.ts';
import type { PictureInfo } from './inspect.ts';
import type { Placeholder } from './placeholder.ts';

/** The result of resizing a picture. */
export interface ResizedPicture {
  info: PictureInfo;
  /** Bytes of the original. */
  bytes: number;
  placeholder: Placeholder;
  variants: { width: number; height: number; format: string; key: string; bytes: number }[];
}

/**
 * Records the result of resizing a picture, in place of an earlier one.
 *
 * @returns false if the picture was deleted meanwhile.
 */
export async function recordVariants(
  db: Kysely<Database>,
  id: number,
  { info, bytes, placeholder, variants }: ResizedPicture,
): Promise<boolean> {
  const { type, width, height } = info;
  return db.transaction().execute(async (transaction) => {
    // First the picture's own row: its lock lets two deliveries write their variants one after the other.
    const ready = { content_type: type, bytes, width, height, ...placeholder };
    if (!(await markReady(transaction, id, ready))) return false;
    const keys = variants.map(({ key }) => key);
    // Variants of other bytes or other settings.
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
