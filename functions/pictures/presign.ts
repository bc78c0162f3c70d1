/**
 * Triggered by `POST /uploads`: makes the row of a picture that its owner is about to put into the bucket, and signs an address
 * for one object of this type and size. Each request makes a picture of its own; `clean-up-pictures` deletes one that is not
 * completed within a day.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { uploadLimit } from '../../shared/pictures/limits.ts';
import { readUploadRequest } from '../../shared/pictures/upload-request.ts';
import { maxUploadBytes } from '../../shared/pictures/upload-size.ts';
import { expectUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'putUrl'>;
  authenticate: Authenticate;
  limit?: RateLimit;
  /** Largest picture in bytes. */
  maxBytes: number;
  log?: Log;
}

/** Validity of the signed address: the upload has to begin by then. */
const signedForSeconds = 3600;

export function createHandler({ db, storage, maxBytes, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const { type, bytes } = readUploadRequest(event, maxBytes);
    const { image_id, image_path } = await expectUpload(db, { userId: user.id, type, bytes });
    const contentType = type ?? 'application/octet-stream';
    const url = await storage.putUrl(image_path, { contentType, bytes }, signedForSeconds);
    return json(
      201,
      {
        image_id,
        upload: { url, method: 'PUT', headers: { 'content-type': contentType } },
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
