/**
 * Triggered by `POST /uploads`: makes the row of a picture that its owner is about to put into the bucket, and signs the
 * address for that, for one object of just this type and size. Each request makes a picture of its own; one that is never
 * completed goes after a day (clean-up-pictures).
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json, Problem, readJson } from 'warren/http';
import { z } from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { acceptedTypes, isPictureType } from '../../shared/pictures/image/type.ts';
import { uploadLimit } from '../../shared/pictures/limits.ts';
import { maxUploadBytes } from '../../shared/pictures/upload-size.ts';
import { expectUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'putUrl'>;
  authenticate: Authenticate;
  limit?: RateLimit;
  /** The most a picture may hold, in bytes. */
  maxBytes: number;
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

export function createHandler({ db, storage, maxBytes, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const { content_type: type, bytes } = readJson(event, request);
    if (!isPictureType(type)) {
      throw new Problem(415, 'Unsupported media type', `content_type: expected ${acceptedTypes}`);
    }
    if (bytes > maxBytes) {
      throw new Problem(413, 'Too large', `bytes: expected at most ${maxBytes}, got ${bytes}`);
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

export const handler = lambda(
  { db: database, storage, authenticate, maxBytes: maxUploadBytes, limit: uploadLimit, log },
  createHandler,
);
