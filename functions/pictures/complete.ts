/**
 * Triggered by `POST /pictures/{id}/complete`: checks what its owner has put into the bucket, and announces the picture.
 * Only one request finds the row `awaiting`; any other is answered with what became of the picture since.
 *
 * Killed before the row says `uploaded`, nothing has happened: the client saw an error and asks again. Killed after that,
 * `announce-pictures` finishes what is left, as it does while the broker is away. An object that is not what was signed
 * for stays, for its owner may be about to put the right one in its place, and goes with the row after a day
 * (clean-up-pictures): removed here, it could be the right one by then, and accepted.
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
import { detectType } from '../../shared/pictures/image/detect.ts';
import { completionLimit } from '../../shared/pictures/limits.ts';
import { tellingBytes } from '../../shared/pictures/originals.ts';
import { findPicture, type OwnPicture } from '../../shared/pictures/own-pictures.ts';
import { finishUpload } from '../../shared/pictures/uploads.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'size' | 'start'>;
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
  const fault = await faultOf(storage, picture);
  if (fault !== undefined) {
    // The right one may have come since, and another request have taken it.
    const now = await findPicture(db, event, user);
    if (now.status !== 'awaiting') return now;
    throw new Problem(422, 'The request can not be served', `the upload: ${fault}`);
  }
  const { id, user_id, image_path } = picture;
  await finishUpload(deps, { image_id: id, user_id, image_path });
  // Where another request was first, or it was deleted meanwhile, it says so.
  return findPicture(db, event, user);
}

/** What is wrong with the object, for people; undefined where it is as it was announced. */
async function faultOf(storage: Deps['storage'], picture: OwnPicture): Promise<string | undefined> {
  const { id, image_path, bytes, content_type } = picture;
  const size = await storage.size(image_path);
  if (size === undefined) {
    const detail = `picture ${id}: nothing was uploaded; PUT it to the address that POST /uploads gave, then complete`;
    throw new Problem(409, 'Not uploaded', detail);
  }
  if (size !== bytes) return `expected ${bytes} bytes, as was announced, got ${size}`;
  const detected = await detectType((await storage.start(image_path, tellingBytes)) ?? Buffer.alloc(0));
  const type = 'type' in detected ? detected.type : detected.found;
  return type === content_type ? undefined : `expected ${content_type}, as was announced, got ${type}`;
}

export const handler = lambda(
  { db: database, storage, publisher, authenticate, limit: completionLimit, log },
  createHandler,
);
