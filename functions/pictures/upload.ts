/**
 * Triggered by `POST /pictures`: stores the original and announces it to the fanout exchange `upload-pictures`; other functions
 * do the work. Each request makes a picture of its own, unless it is sent again with the same Idempotency-Key.
 *
 * Nothing is lost, wherever the process is killed. Before the row exists: nothing has happened, and the client saw an error.
 * Between row (`awaiting`) and object, or between the object and `uploaded` in the row: the client saw an error, and
 * `clean-up-pictures` removes both after a day; sent again with the same key, the request continues with the same picture. From
 * `uploaded` on, the picture is finished, whatever the client saw: the transaction that makes it `uploaded` also stores the
 * message about it in the outbox, and `announce-pictures` publishes what stays there. Between the broker's confirmation and its record:
 * the message is published twice, with the same id, and each function works on it once. So the answer is 202 even while the broker is unavailable.
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log, type PublisherLike, publisher } from 'warren/functions';
import { httpFunction, json, readFiles } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { once } from '../../shared/http/idempotency.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { acceptedType, onlyPicture } from '../../shared/pictures/checks.ts';
import { uploadLimit } from '../../shared/pictures/limits.ts';
import { expectWithinQuota, type UploadQuota, uploadQuota } from '../../shared/pictures/quota.ts';
import { finishUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'put'>;
  publisher: PublisherLike;
  authenticate: Authenticate;
  limit?: RateLimit;
  quota?: UploadQuota;
  log?: Log;
}

const maxPictureBytes = 4 * 1024 * 1024;
/** Limit of a form: above what Lambda takes (6 MB in base64), so that a picture which is too large is led to `POST /uploads`. */
const maxBytes = 8_000_000;

export function createHandler({ db, storage, quota, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', maxBytes, ...deps }, async ({ event, user }) => {
    const files = await readFiles(event, { fileSize: maxPictureBytes, files: 2, field: 'picture' });
    const content = onlyPicture(files, maxPictureBytes);
    const type = await acceptedType(content);
    return once({ db, event, user, content }, async (kept) => {
      const expected = { userId: user.id, type, bytes: content.length, pictureId: kept?.pictureId };
      const picture = await expectWithinQuota(db, quota, expected);
      await storage.put(picture.image_path, content, type);
      await finishUpload({ db, ...deps }, picture, type);
      const { image_id } = picture;
      return json(202, { image_id, status: 'uploaded' }, { location: `/pictures/${image_id}` });
    });
  });
}

export const handler = lambda(
  { db: database, storage, publisher, authenticate, limit: uploadLimit, quota: uploadQuota, log },
  createHandler,
  { maxBytes },
);
