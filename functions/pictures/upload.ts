/**
 * Triggered by `POST /pictures`: stores the original and announces it to the fanout exchange `upload-pictures`; all the
 * work is done elsewhere. Each request makes a picture of its own, unless it comes again with the same Idempotency-Key.
 *
 * Nothing is lost, wherever the process is killed. Before the row is there: nothing has happened, and the client saw an
 * error. Between row (`awaiting`) and object, or between the object and `uploaded` in the row: the client saw an error, and
 * `clean-up-pictures` removes both after a day; sent again with the same key, the request goes on with the same picture.
 * From `uploaded` on, the picture is finished, whatever the client saw: `announce-pictures` announces each one whose row
 * does not say that the broker has confirmed it. Between that confirm and the row saying so: it is announced twice, with
 * the same message id, and each function works on it once. So 202 also while the broker is away.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, type PublisherLike, publisher } from 'warren/functions';
import { httpFunction, json, Problem, readFiles, type UploadedFile } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { once } from '../../shared/http/idempotency.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { detectType } from '../../shared/pictures/image/detect.ts';
import { acceptedTypes, type PictureType } from '../../shared/pictures/image/type.ts';
import { uploadLimit } from '../../shared/pictures/limits.ts';
import { expectUpload, finishUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'put'>;
  publisher: PublisherLike;
  authenticate: Authenticate;
  limit?: RateLimit;
  log?: Log;
}

/** Lambda takes 6 MB in all, in base64. */
const mostBytes = 4 * 1024 * 1024;

export function createHandler({ db, storage, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const content = onlyPicture(await readFiles(event, { fileSize: mostBytes, files: 2 }));
    const type = await acceptedType(content);
    return once({ db, event, user, content }, async (kept) => {
      const expected = { userId: user.id, type, bytes: content.length, pictureId: kept?.pictureId };
      const picture = await expectUpload(db, expected);
      await storage.put(picture.image_path, content, type);
      await finishUpload({ db, ...deps }, picture);
      const { image_id } = picture;
      return json(202, { image_id, status: 'uploaded' }, { location: `/pictures/${image_id}` });
    });
  });
}

function onlyPicture(files: readonly UploadedFile[]): Buffer {
  const [file, another] = files;
  if (!file || another || file.field !== 'picture') {
    const got = files.map(({ field }) => `"${field}"`).join(' and ') || 'none';
    throw new Problem(422, 'The request can not be served', `picture: expected one file, got ${got}`);
  }
  if (file.truncated) {
    const detail = `picture: expected at most ${mostBytes} bytes (4 MiB), got more; POST /uploads takes larger ones`;
    throw new Problem(
      413,
      'Too large',
      detail,
      { link: '</uploads>; rel="related"' },
      { uploads: '/uploads' },
    );
  }
  if (file.content.length === 0) {
    throw new Problem(422, 'The request can not be served', 'picture: expected a picture, got an empty file');
  }
  return file.content;
}

async function acceptedType(content: Buffer): Promise<PictureType> {
  const detected = await detectType(content);
  if ('type' in detected) return detected.type;
  const detail = `picture: expected ${acceptedTypes}, got ${detected.found}`;
  throw new Problem(415, 'Unsupported media type', detail);
}

export const handler = lambda(
  { db: database, storage, publisher, authenticate, limit: uploadLimit, log },
  createHandler,
);
