/**
 * Triggered by `DELETE /pictures/{id}`: takes a picture out of sight, takes its points back and removes it from storage.
 * Deleted twice is 204 twice: who lost the first answer gets it again, and what the first one could not remove is tried
 * once more. What is left after that (the storage was away, a function was just writing renditions, somebody uses a signed
 * address once more) `clean-up-pictures` removes.
 */

import type { Kysely } from 'kysely';
import { type Log, lambda, log, silentLog } from 'warren/functions';
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
}

export function createHandler({ db, storage, ...deps }: Deps) {
  const { log = silentLog } = deps;
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const picture = await deletePicture(db, { pictureId: pictureIdOf(event), userId: user.id });
    if (!picture) throw noSuchPicture(event);
    await removeObjects({ db, storage }, picture).catch((err: unknown) => {
      log.warn({ pictureId: picture.id, err }, 'deleted, and its objects will be removed later');
    });
    return noContent();
  });
}

export const handler = lambda({ db: database, storage, authenticate, log }, createHandler);
