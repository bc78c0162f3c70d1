/**
 * Triggered by `POST /pictures`: stores the original, makes its row and announces it to the fanout exchange
 * `upload-pictures`; all the work is done elsewhere. Each request makes a picture with an id of its own; one that ends
 * in an error was not announced, as far as we know, and may be sent again.
 */
import { type Kysely, sql } from 'kysely';
import { type Authenticate, createAuthenticate } from '../../shared/auth.ts';
import { readConfig } from '../../shared/config.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { readFiles, type UploadedFile } from '../../shared/http/body.ts';
import { httpFunction, json } from '../../shared/http/function.ts';
import { Problem } from '../../shared/http/problem.ts';
import { acceptedTypes, detectType, extensionOf, type PictureType } from '../../shared/image/type.ts';
import { whenCalled } from '../../shared/lazy.ts';
import { createLog, type Log } from '../../shared/log.ts';
import { createPublisher, type PublisherLike } from '../../shared/rabbitmq/publisher.ts';
import { createStorage, type Storage } from '../../shared/storage.ts';

interface Deps {
  db: Kysely<Database>;
  storage: Storage;
  publisher: PublisherLike;
  authenticate: Authenticate;
  log?: Log;
}

/** Lambda takes 6 MB in all, in base64. */
const mostBytes = 4 * 1024 * 1024;

export function createHandler({ db, storage, publisher, ...deps }: Deps) {
  return httpFunction({ scope: 'pictures:write', ...deps }, async ({ event, user }) => {
    const content = onlyPicture(await readFiles(event, { fileSize: mostBytes, files: 2 }));
    const type = await acceptedType(content);
    const { id } = await sql<{ id: number }>`select nextval('picture_ids') as id`
      .execute(db)
      .then(({ rows }) => rows[0] as { id: number });
    const image_path = `originals/${id}.${extensionOf(type)}`;
    await storage.put(image_path, content, type);
    await db
      .insertInto('pictures')
      .values({ id, user_id: user.id, image_path, content_type: type, bytes: content.length })
      .execute();
    await publisher.publish({
      exchange: 'upload-pictures',
      routingKey: '',
      body: { image_id: id, user_id: user.id, image_path },
    });
    return json(202, { image_id: id, status: 'uploaded' }, { location: `/pictures/${id}` });
  });
}

function onlyPicture(files: readonly UploadedFile[]): Buffer {
  const [file, another] = files;
  if (!file || another || file.field !== 'picture') {
    const got = files.map(({ field }) => `"${field}"`).join(' and ') || 'none';
    throw new Problem(422, 'The request can not be served', `picture: expected one file, got ${got}`);
  }
  if (file.truncated) {
    throw new Problem(413, 'Too large', `picture: expected at most ${mostBytes} bytes (4 MiB), got more`);
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

export const handler = whenCalled(() => {
  const config = readConfig(['broker', 'database', 'storage', 'auth', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    db: connectDatabase({ url: config.database.DATABASE_URL, name }),
    storage: createStorage(config.storage),
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
