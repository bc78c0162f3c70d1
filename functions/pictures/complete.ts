/**
 * Triggered by `POST /pictures/{id}/complete`: checks the object that its owner has put into the bucket, and announces the
 * picture. Only one request finds the row `awaiting`; any other is answered with the picture's present state.
 *
 * If the process is killed before the row is `uploaded`, nothing has happened: the client saw an error and asks again. If it is
 * killed after that, `announce-pictures` does the rest, as it does while the broker is unavailable. An object of another size than
 * announced, or that is no picture, stays, because its owner may be about to replace it: the replacement could be accepted by the time that this
 * function removes it. It is removed with the row after a day (clean-up-pictures).
 */
import type { Kysely } from 'kysely';
import { type Log, lambda, log, type PublisherLike, publisher } from 'warren/functions';
import { type HttpEvent, httpFunction, json, Problem } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate, User } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { once } from '../../shared/http/idempotency.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';
import { examineUpload } from '../../shared/pictures/checks.ts';
import { completionLimit } from '../../shared/pictures/limits.ts';
import { findPicture, type OwnPicture } from '../../shared/pictures/own-pictures.ts';
import { finishUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'read' | 'size'>;
  publisher: PublisherLike;
  authenticate: Authenticate;
  limit?: RateLimit;
  log?: Log;
}

export function createHandler({ storage, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    return once({ ...deps, event, user, content: '' }, async () => {
      const { id, status } = await complete({ storage, ...deps }, event, user);
      return json(202, { image_id: id, status }, { location: `/pictures/${id}` });
    });
  });
}

async function complete(deps: Omit<Deps, 'authenticate'>, event: HttpEvent, user: User): Promise<OwnPicture> {
  const { db, storage } = deps;
  const picture = await findPicture(db, event, user);
  if (picture.status !== 'awaiting') return picture;
  const examined = await examineUpload(storage, picture);
  if ('fault' in examined) {
    // The right object may have come since, and another request may have completed it.
    const now = await findPicture(db, event, user);
    if (now.status !== 'awaiting') return now;
    throw new Problem(422, 'The request can not be served', `the upload: ${examined.fault}`);
  }
  await finishUpload(deps, { ...picture, image_id: picture.id }, examined.type);
  // If another request was first, or the picture was deleted meanwhile, this has the state of that.
  return findPicture(db, event, user);
}

export const handler = lambda(
  { db: database, storage, publisher, authenticate, limit: completionLimit, log },
  createHandler,
);
