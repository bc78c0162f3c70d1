/**
 * Triggered by `DELETE /pictures/{id}`: hides a picture, takes its points back and removes it from storage. A second request is
 * answered with 204 again, and removes the objects that the first one could not remove. `clean-up-pictures` removes what is
 * left after that: the storage was unavailable or slow, a function was just writing variants, or a signed address was used once more.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, silentLog, UnavailableError, withDeadline } from 'warren/functions';
import { httpFunction, noContent } from 'warren/http';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { noSuchPicture, pictureIdOf } from '../../shared/pictures/own-pictures.ts';
import { deletePicture, removeObjects } from '../../shared/pictures/removal.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'list' | 'remove'>;
  authenticate: Authenticate;
  log?: Log;
  /** Milliseconds for which the answer waits for the storage. Default 5000, of the 15 s of the function. */
  waitMs?: number;
}

export function createHandler({ db, storage, ...deps }: Deps) {
  const { log = silentLog, waitMs = 5000 } = deps;
  const late = () => new UnavailableError('storage', `no answer within ${waitMs} ms`);
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const picture = await deletePicture(db, { pictureId: pictureIdOf(event), userId: user.id });
    if (!picture) throw noSuchPicture(event);
    const removed = removeObjects({ db, storage }, picture);
    await withDeadline(removed, { ms: waitMs, late }).catch((err: unknown) => {
      log.warn({ pictureId: picture.id, err }, 'deleted, and its objects will be removed later');
    });
    return noContent();
  });
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
