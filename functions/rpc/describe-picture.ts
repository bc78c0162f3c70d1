/**
 * Triggered by the queue `describe-picture`: replies to a call with the size, format and length of a picture in the bucket,
 * identified by its id or its path. A caller over HTTP may see only its own pictures. Reads only, and of an object only the parts
 * that say this.
 */

import type { Kysely } from 'kysely';
import {
  CallError,
  callerHeader,
  type Log,
  lambda,
  log,
  onCalls,
  type PublisherLike,
  publisher,
  RejectedError,
} from 'warren/functions';
import { database } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { describePicture } from '../../shared/pictures/contracts.ts';
import { examine } from '../../shared/pictures/image/examine.ts';
import { objectOf } from '../../shared/pictures/image/source.ts';
import { maxOriginalBytes } from '../../shared/pictures/originals.ts';
import { findReadablePath } from '../../shared/pictures/readable-path.ts';
import { storage } from '../../shared/storage/resource.ts';
import type { Storage } from '../../shared/storage/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Pick<Storage, 'read' | 'size'>;
  publisher: PublisherLike;
  log?: Log;
}

export function createHandler({ db, storage, ...deps }: Deps) {
  return onCalls({ contract: describePicture, ...deps }, async ({ body, headers }) => {
    const path = await findReadablePath(db, body, headers[callerHeader]);
    const object = path === undefined ? undefined : await objectOf(storage, path);
    if (!object) throw new CallError(404, 'No such picture', 'there is no such picture, or it is not yours');
    if (object.size > maxOriginalBytes) {
      throw new RejectedError(`expected at most ${maxOriginalBytes} bytes, got ${object.size}`);
    }
    const { type, width, height } = await examine(object);
    return { width, height, format: type.replace('image/', ''), bytes: object.size };
  });
}

export const handler = lambda({ db: database, storage, publisher, log }, createHandler);
