import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createHandler as createUpload } from '../functions/pictures/upload.ts';
import { createAuthenticate, mintToken, scopes } from '../shared/auth.ts';
import { readConfig } from '../shared/config.ts';
import { connectDatabase } from '../shared/database/database.ts';
import { createPublisher } from '../shared/rabbitmq/publisher.ts';
import { createRpcClient } from '../shared/rabbitmq/rpc-client.ts';
import { createStorage } from '../shared/storage.ts';
import { context, form, httpEvent } from '../test/events.ts';
import type { Parts } from './parts.ts';
import { makePhotos, type Photo } from './photos.ts';
import { type Chance, chanceFrom } from './seed.ts';

export interface LoadOptions {
  seed: string;
  /** How many of each. */
  pictures: number;
  alerts: number;
  calls: number;
  /** Over how many seconds they come. */
  seconds: number;
}

/** A picture that was accepted: by the upload function, or by the broker from another program. */
export interface AcceptedPicture {
  id: number;
  userId: number;
  /** Undefined where what was stored is no picture. */
  photo: Photo | undefined;
}

export interface AcceptedAlert {
  id: string;
  routingKey: string;
  /** In its text and nobody else's. */
  token: string;
  /** False for what is not even JSON. */
  good: boolean;
}

export interface Call {
  /** `wrong` is an answer to another question. */
  outcome: 'answered' | 'failed' | 'wrong';
  /** Milliseconds. */
  took: number;
}

/** What was accepted, and so has to have its effects. */
export interface Accepted {
  pictures: AcceptedPicture[];
  alerts: AcceptedAlert[];
  calls: Call[];
  /** Requests that had to be made again. */
  retries: number;
}

/** A caller's patience, in milliseconds. */
export const callTimeoutMs = 5000;

const keys = ['critical.rate_limit', 'critical.disk', 'warning.rate_limit', 'info.deploy'] as const;
const users = [1, 2, 3, 4, 5];
/** One in so many is sent twice, and one in so many makes no sense. */
const [oneTwice, oneBad] = [20, 50];

/** Puts a load on the system, as its users would: whoever is refused tries again until it is accepted. */
export async function runLoad(parts: Parts, options: LoadOptions): Promise<Accepted> {
  const { env } = parts;
  const config = readConfig(['storage', 'auth'], env);
  const db = connectDatabase({ url: env.DATABASE_URL, name: 'faults: uploads', connections: 10 });
  const publisher = createPublisher({ url: env.AMQP_URL, name: 'faults: publisher' });
  const rpc = createRpcClient({ url: env.AMQP_URL, name: 'faults: caller' });
  const storage = createStorage(config.storage);
  const upload = createUpload({ db, storage, publisher, authenticate: createAuthenticate(config.auth) });
  const chance = chanceFrom(`load ${options.seed}`);
  const photos = await makePhotos();
  const accepted: Accepted = { pictures: [], alerts: [], calls: [], retries: 0 };

  const untilAccepted = async <T>(attempt: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const result = await attempt().catch(() => undefined);
      if (result !== undefined) return result;
      accepted.retries += 1;
      await pause(500);
    }
  };
  const publish = (message: Parameters<typeof publisher.publish>[0]) =>
    untilAccepted(() => publisher.publish(message));

  const uploadOne = async (userId: number, photo: Photo, twice: boolean) => {
    const key = randomUUID();
    const token = await mintToken({
      ...{ secret: env.AUTH_JWT_SECRET, sub: String(userId), scopes, expiresInSeconds: 3600 },
    });
    const { body, contentType } = form([{ content: photo.body }]);
    const event = httpEvent({
      ...{ method: 'POST', path: '/pictures', body, contentType, authorization: `Bearer ${token}` },
      headers: { 'idempotency-key': key },
    });
    const ask = async () => {
      const { statusCode, body: text = '' } = await upload(event, context);
      return statusCode === 202 ? (JSON.parse(text) as { image_id: number }).image_id : undefined;
    };
    const id = await untilAccepted(ask);
    if (twice) await untilAccepted(ask);
    accepted.pictures.push({ id, userId, photo });
  };

  /** As a program does that knows nothing of our functions. */
  const publishOne = async (id: number, userId: number, photo: Photo | undefined, twice: boolean) => {
    const path = `originals/${id}.${photo?.extension ?? 'jpg'}`;
    const content = photo?.body ?? Buffer.from('not a picture');
    await untilAccepted(async () => (await storage.put(path, content, 'image/jpeg')) ?? true);
    const body = { image_id: id, user_id: userId, image_path: path };
    const message = { exchange: 'upload-pictures', routingKey: '', body, messageId: `picture-${id}` };
    for (const _time of twice ? [1, 2] : [1]) await publish(message);
    accepted.pictures.push({ id, userId, photo });
  };

  const alertOne = async (routingKey: string, good: boolean, twice: boolean) => {
    const [id, token] = [randomUUID(), randomUUID()];
    const body = good ? `Something is up: ${token}` : Buffer.from(`{"cut off": "${token}`);
    const contentType = 'application/json';
    for (const _time of twice ? [1, 2] : [1]) {
      await publish({ exchange: 'alerts', routingKey, body, contentType, messageId: id });
    }
    accepted.alerts.push({ id, routingKey, token, good });
  };

  const callOne = async (n: number) => {
    const begun = performance.now();
    let outcome: Call['outcome'];
    try {
      const { body } = await rpc.call('ping', { time: `call ${n}` }, { timeoutMs: callTimeoutMs });
      outcome = body === `Pong!call ${n}` ? 'answered' : 'wrong';
    } catch {
      outcome = 'failed';
    }
    accepted.calls.push({ outcome, took: performance.now() - begun });
  };

  const tasks: (() => Promise<void>)[] = [];
  for (let n = 1; n <= options.pictures; n += 1) {
    const [user, photo, twice] = [chance.pick(users), chance.pick(photos), isOneIn(chance, oneTwice)];
    const bad = isOneIn(chance, oneBad);
    if (bad || chance.next() < 0.5) tasks.push(() => publishOne(n, user, bad ? undefined : photo, twice));
    else tasks.push(() => uploadOne(user, photo, twice));
  }
  for (let n = 0; n < options.alerts; n += 1) {
    const [key, good, twice] = [chance.pick(keys), !isOneIn(chance, oneBad), isOneIn(chance, oneTwice)];
    tasks.push(() => alertOne(key, good, twice));
  }
  for (let n = 0; n < options.calls; n += 1) tasks.push(() => callOne(n));

  try {
    await Promise.all(
      tasks.map(async (task) => {
        await pause(chance.next() * options.seconds * 1000);
        await task();
      }),
    );
    return accepted;
  } finally {
    await Promise.all([publisher.close(), rpc.close(), db.destroy()]);
  }
}

function isOneIn(chance: Chance, many: number): boolean {
  return chance.next() < 1 / many;
}
