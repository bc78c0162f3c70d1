/**
 * Triggered by `POST /uploads`: makes the row of a picture that its owner is about to put into the bucket, and signs the
 * address for that, for one object of just this type and size. Each request makes a picture of its own; one that is never
 * completed goes after a day (clean-up-pictures).
 */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { createRateLimit, type RateLimit } from '../../shared/http/rate-limit.ts';
import { acceptedTypes, isPictureType } from '../../shared/pictures/image/type.ts';
import { expectUpload } from '../../shared/pictures/uploads.ts';
import { createStorage, type Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'putUrl'>;
  authenticate: Authenticate;
  limit?: RateLimit;
  /** The most a picture may hold, in bytes. */
  mostBytes: number;
  log?: Log;
}

/** How long the signed address is good for: an upload has to begin by then. */
const signedForSeconds = 3600;

const request = z.object({
  content_type: z.string({ error: 'expected a media type such as "image/jpeg"' }),
  bytes: z
    .number({ error: 'expected the size of the file in bytes' })
    .int('expected a whole number')
    .min(1, 'expected at least 1'),
});

export function createHandler({ db, storage, mostBytes, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const { content_type: type, bytes } = readJson(event, request);
    if (!isPictureType(type)) {
      throw new Problem(415, 'Unsupported media type', `content_type: expected ${acceptedTypes}`);
    }
    if (bytes > mostBytes) {
      throw new Problem(413, 'Too large', `bytes: expected at most ${mostBytes}, got ${bytes}`);
    }
    const { image_id, image_path } = await expectUpload(db, { userId: user.id, type, bytes });
    const url = await storage.putUrl(image_path, { contentType: type, bytes }, signedForSeconds);
    return json(
      201,
      {
        image_id,
        upload: { url, method: 'PUT', headers: { 'content-type': type } },
        complete: `/pictures/${image_id}/complete`,
      },
      { location: `/pictures/${image_id}` },
    );
  });
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['database', 'storage', 'uploads', 'auth', 'uploadLimit', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  const log = createLog(config.log);
  const db = connectDatabase({ url: config.database.DATABASE_URL, name });
  return createHandler({
    db,
    storage: createStorage(config.storage),
    authenticate: createAuthenticate(config.auth),
    mostBytes: config.uploads.UPLOAD_MAX_BYTES,
    limit: createRateLimit({ db, action: 'uploads', rate: config.uploadLimit.RATE_LIMIT_UPLOADS, log }),
    log,
  });
});
