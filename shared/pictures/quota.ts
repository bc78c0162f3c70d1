/** Quotas of each user: bytes of stored pictures, and uploads that were begun and not completed. */
import { type Kysely, sql } from 'kysely';
import { resource } from 'warren/functions';
import { Problem } from 'warren/http';
import * as z from 'zod';
import type { Database } from '../database/schema.ts';
import type { PictureMessage } from './message.ts';
import { type ExpectedUpload, expectUpload } from './uploads.ts';

/** The quotas of each user. */
export const quotaSettings = () =>
  z.object({
    QUOTA_BYTES: z.coerce
      .number('expected a number of bytes')
      .int('expected a whole number of bytes')
      .min(1, 'expected at least 1 byte')
      .default(10 * 1024 ** 3)
      .describe('most bytes of stored originals of each user'),
    QUOTA_OPEN_UPLOADS: z.coerce
      .number('expected a number of uploads')
      .int('expected a whole number of uploads')
      .min(1, 'expected at least 1')
      .default(100)
      .describe('most uploads of each user that are begun and not completed'),
  });

export interface UploadQuota {
  bytes: number;
  /** Uploads that are begun and not completed. */
  open: number;
}

/** The configured quotas. */
export const uploadQuota = resource(
  quotaSettings,
  ({ QUOTA_BYTES: bytes, QUOTA_OPEN_UPLOADS: open }): UploadQuota => ({ bytes, open }),
);

/** Seconds after which a user who has deleted pictures may try again. */
const retrySeconds = 3600;
/** `clean-up-pictures` removes an upload that is not completed after a day. */
const openSeconds = 86_400;

/**
 * Makes the row of an upload, like `expectUpload`, if the user's quota has room for it. Uploads of one user are counted one after the
 * other, so that concurrent requests do not exceed the quota.
 *
 * @param quota undefined for no quota.
 * @throws Problem 429 with Retry-After and the reason.
 */
export async function expectWithinQuota(
  db: Kysely<Database>,
  quota: UploadQuota | undefined,
  upload: ExpectedUpload,
): Promise<PictureMessage> {
  if (quota === undefined) return expectUpload(db, upload);
  return db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('picture quota', ${upload.userId}))`.execute(
      transaction,
    );
    await checkQuota(transaction, quota, upload);
    return expectUpload(transaction, upload);
  });
}

async function checkQuota(db: Kysely<Database>, quota: UploadQuota, upload: ExpectedUpload): Promise<void> {
  const { bytes, open, wait } = await db
    .selectFrom('pictures')
    .select(sql<number>`coalesce(sum(bytes), 0)::float8`.as('bytes'))
    .select(sql<number>`(count(*) filter (where status = 'awaiting'))::integer`.as('open'))
    .select(
      sql<number | null>`extract(epoch from min(created_at) filter (where status = 'awaiting')
        + ${openSeconds} * interval '1 second' - now())::float8`.as('wait'),
    )
    .where('user_id', '=', upload.userId)
    .where('deleted_at', 'is', null)
    // A request that is sent again continues its own upload.
    .where('id', '!=', upload.pictureId ?? 0)
    .executeTakeFirstOrThrow();
  if (open >= quota.open) {
    const detail = `uploads: ${open} are begun and not completed, at most ${quota.open} may be; complete or delete some`;
    throw refused('Too many open uploads', detail, wait ?? openSeconds);
  }
  if (bytes + upload.bytes > quota.bytes) {
    const detail = `bytes: ${bytes} of ${quota.bytes} are used, and this picture has ${upload.bytes}; delete some pictures`;
    throw refused('No room for this picture', detail, retrySeconds);
  }
}

const refused = (title: string, detail: string, seconds: number) =>
  new Problem(429, title, detail, { 'retry-after': String(Math.max(1, Math.ceil(seconds))) });
