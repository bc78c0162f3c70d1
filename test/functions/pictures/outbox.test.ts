import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { projectFile } from '../../../dev/stack/project.ts';
import { createHandler as createAnnounce } from '../../../functions/pictures/announce.ts';
import { createHandler as createCleanUp } from '../../../functions/pictures/clean-up.ts';
import { createHandler as createComplete } from '../../../functions/pictures/complete.ts';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import type { HttpEvent } from '../../../runtime/http/function.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form } from '../../support/events.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

const deps = openDeps();
const announceNow = createAnnounce(deps);
let broker: TestBroker;
let queue: string;
let picture: Buffer;

beforeAll(async () => {
  broker = await openBroker();
  queue = await broker.queue('outbox');
  await broker.channel.bindQueue(queue, 'upload-pictures', '');
  picture = await plain(8, 6).png().toBuffer();
});
afterAll(async () => {
  await broker.close();
  await deps.close();
});

const picturesOf = (user: number) =>
  deps.db.selectFrom('pictures').selectAll().where('user_id', '=', user).orderBy('id').execute();

/** The fanout's messages about pictures of the user; other tests upload at the same time. */
const announced = async (user: number) =>
  (await broker.drain(queue))
    .map(({ content, properties }) => ({
      body: JSON.parse(content.toString()) as { image_id: number; user_id: number },
      messageId: properties.messageId as string,
    }))
    .filter(({ body }) => body.user_id === user);

/** Messages in the outbox about pictures of the user. */
const waiting = async (user: number) => {
  const ids = (await picturesOf(user)).map(({ id }) => `"picture-${id}"`);
  const rows = await deps.db.selectFrom('warren_outbox').select(['id', 'message']).execute();
  return rows.filter(({ message }) => ids.some((id) => message.includes(id)));
};

/** Makes them due, in place of waiting for it. */
const makeDue = async (user: number) => {
  for (const { id } of await waiting(user)) {
    await deps.db
      .updateTable('warren_outbox')
      .set({ due_at: new Date(0) })
      .where('id', '=', id)
      .execute();
  }
};

const announcePictures = async (user: number) => {
  await makeDue(user);
  await announceNow();
};

const uploadEvent = async (user: number, key?: string) =>
  httpEvent({
    ...form([{ content: picture }]),
    authorization: await bearer(user),
    method: 'POST',
    ...(key && { headers: { 'idempotency-key': key } }),
  });

describe('a picture that was stored while the broker was unavailable', () => {
  it('is announced later, once, with a message id that follows from the picture', async () => {
    const user = uniqueId();
    const publisher = new Publisher({ url: 'amqp://127.0.0.1:9', name: unique('unavailable') });
    const reply = await createUpload({ ...deps, publisher })(await uploadEvent(user), context);
    expect(reply.statusCode).toBe(202);
    const [row] = await picturesOf(user);
    expect(row).toMatchObject({ status: 'uploaded' });
    expect(await waiting(user)).toHaveLength(1);
    expect(await announced(user)).toEqual([]);
    await publisher.close();

    await announcePictures(user);
    const message = { image_id: row?.id, user_id: user, image_path: row?.image_path };
    expect(await announced(user)).toEqual([{ body: message, messageId: `picture-${row?.id}` }]);
    expect(await waiting(user)).toEqual([]);
    await announcePictures(user);
    expect(await announced(user)).toEqual([]);
  });

  it('an upload is accepted even if the broker accepts the login and no publish, and the client gets no reason', async () => {
    const [name, user] = [unique('user'), uniqueId()];
    const put = (path: string, body: object) => management('PUT', path, body);
    await put(`/users/${name}`, { password: 'mute', tags: '' });
    await put(`/permissions/%2F/${name}`, { configure: '', write: '', read: '' });
    const url = new URL(stack.AMQP_URL);
    Object.assign(url, { username: name, password: 'mute' });
    const publisher = new Publisher({ url: url.href, name });
    const reply = await createUpload({ ...deps, publisher })(await uploadEvent(user), context);
    expect(reply).toMatchObject({ statusCode: 202, body: expect.not.stringContaining(name) });
    // The scheduled function fails, so that the operator sees it, and loses no picture.
    await makeDue(user);
    await expect(createAnnounce({ ...deps, publisher })()).rejects.toThrow('stay in the outbox');
    await publisher.close();
    await management('DELETE', `/users/${name}`);
    expect(await waiting(user)).toHaveLength(1);
    await announcePictures(user);
    expect(await announced(user)).toHaveLength(1);
  });

  it('is announced by the same processes when the broker is available again', async () => {
    const user = uniqueId();
    const proxy = proxyTo(new URL(stack.AMQP_URL));
    let up = true;
    const serve: typeof proxy.serve = (socket) => (up ? proxy.serve(socket) : socket.destroy());
    await withFaultyServer(serve, async (port) => {
      const url = new URL(stack.AMQP_URL);
      url.host = `127.0.0.1:${port}`;
      const publisher = new Publisher({ url: url.href, name: unique('outage') });
      const upload = createUpload({ ...deps, publisher });
      const announceThrough = createAnnounce({ ...deps, publisher });

      expect((await upload(await uploadEvent(user), context)).statusCode).toBe(202);
      expect(await waiting(user)).toHaveLength(0);
      up = false;
      proxy.freeze();
      expect((await upload(await uploadEvent(user), context)).statusCode).toBe(202);
      await makeDue(user);
      await expect(announceThrough()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
      expect(await waiting(user)).toHaveLength(1);
      up = true;
      await makeDue(user);
      await announceThrough();
      expect(await waiting(user)).toHaveLength(0);
      const images = new Set((await announced(user)).map(({ body }) => body.image_id));
      expect(images.size).toBe(2);
      await publisher.close();
    });
  });

  /** Rows that a function of the version before has stored and not announced. */
  const storeBefore = async (user: number, count: number, updated_at = new Date(0)) => {
    const rows = Array.from({ length: count }, (_, index) => ({
      id: uniqueId(),
      user_id: user,
      image_path: `originals/${index}.png`,
      created_at: new Date(Date.UTC(2020, 0, 1, 0, 0, index)),
      updated_at,
    }));
    // The order of storing differs from the order of their age.
    await deps.db.insertInto('pictures').values(rows.toReversed()).execute();
    return rows.map(({ id }) => id);
  };

  it('pictures of the version before are announced, oldest first', async () => {
    const user = uniqueId();
    const ids = await storeBefore(user, 250);
    await announceNow();
    expect((await announced(user)).map(({ body }) => body.image_id)).toEqual(ids);
  });

  it('pictures of the version before are announced once by concurrent runs, and left to their function for a while', async () => {
    const user = uniqueId();
    const ids = await storeBefore(user, 250);
    await storeBefore(user, 1, new Date());
    await Promise.all([announceNow(), announceNow(), announceNow()]);
    const messages = (await announced(user)).map(({ body }) => body.image_id);
    expect(messages.sort()).toEqual(ids.sort());
  });

  it('a picture that is incomplete, deleted, or announced by another program is not announced', async () => {
    const user = uniqueId();
    const base = { user_id: user, image_path: 'originals/outbox.png', updated_at: new Date(0) };
    const rows = [
      { ...base, id: uniqueId(), status: 'awaiting' as const },
      { ...base, id: uniqueId(), deleted_at: new Date() },
      { ...base, id: uniqueId(), announced_at: new Date() },
    ];
    for (const row of rows) await deps.db.insertInto('pictures').values(row).execute();
    await announceNow();
    expect(await announced(user)).toEqual([]);
  });
});

/** Handles the request in a process that is killed at a step. */
async function dieAt(step: string, route: 'upload' | 'complete', event: HttpEvent): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', projectFile('test/support/dying.ts'), route, step],
    { env: { ...process.env, ...stack }, stdio: ['pipe', 'inherit', 'inherit'] },
  );
  child.stdin.end(JSON.stringify(event));
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect({ code, signal }, step).toEqual({ code: null, signal: 'SIGKILL' });
}

/** Ends the lease of a request that died; a client would have to wait for its end. */
const endLeases = (user: number) =>
  deps.db
    .updateTable('idempotency_keys')
    .set({ claimed_until: new Date(Date.now() - 1000) })
    .where('user_id', '=', user)
    .execute();

const aDayLater = (user: number) =>
  deps.db
    .updateTable('pictures')
    .set({ created_at: new Date(Date.now() - 25 * 3_600_000) })
    .where('user_id', '=', user)
    .execute();

describe('an upload that is killed', () => {
  const early = ['before put', 'after put'];
  const late = ['before publish', 'after publish', 'before the answer'];

  it.each(early)('%s is not accepted, is not announced, and leaves nothing after a day', async (step) => {
    const user = uniqueId();
    await dieAt(step, 'upload', await uploadEvent(user));
    const [row] = await picturesOf(user);
    expect(row?.status).toBe('awaiting');
    await announcePictures(user);
    expect(await announced(user)).toEqual([]);
    await aDayLater(user);
    await createCleanUp(deps)();
    expect(await picturesOf(user)).toEqual([]);
    expect(await deps.storage.size(row?.image_path ?? '')).toBeUndefined();
  });

  it.each(late)('%s is finished nevertheless', async (step) => {
    const user = uniqueId();
    await dieAt(step, 'upload', await uploadEvent(user));
    const [row] = await picturesOf(user);
    expect(row?.status).toBe('uploaded');
    await announcePictures(user);
    const messages = await announced(user);
    expect(new Set(messages.map(({ messageId }) => messageId))).toEqual(new Set([`picture-${row?.id}`]));
    expect(await waiting(user)).toEqual([]);
    expect(await deps.storage.get(row?.image_path ?? '', 10_000)).toMatchObject({ body: picture });
  });

  it.each([...early, ...late])('%s makes one picture if it is sent again with the same key', async (step) => {
    const [user, key] = [uniqueId(), randomUUID()];
    await dieAt(step, 'upload', await uploadEvent(user, key));
    const again = async () => createUpload(deps)(await uploadEvent(user, key), context);
    // Without its answer, the first try may still be in flight.
    expect((await again()).statusCode).toBe(step === 'before the answer' ? 202 : 409);
    await endLeases(user);
    const reply = await again();
    expect(reply.statusCode).toBe(202);
    await announcePictures(user);
    const rows = await picturesOf(user);
    expect(rows).toMatchObject([{ status: 'uploaded' }]);
    expect(await waiting(user)).toEqual([]);
    expect(JSON.parse(reply.body ?? '')).toEqual({ image_id: rows[0]?.id, status: 'uploaded' });
    expect((await announced(user)).length).toBeGreaterThan(0);
  });
});

describe('a completion that is killed', () => {
  const awaiting = async (user: number) => {
    const id = uniqueId();
    const image_path = `originals/${id}.png`;
    await deps.db
      .insertInto('pictures')
      .values({
        id,
        user_id: user,
        image_path,
        status: 'awaiting',
        content_type: 'image/png',
        bytes: picture.length,
      })
      .execute();
    await deps.storage.put(image_path, picture, 'image/png');
    const authorization = await bearer(user);
    return httpEvent({ parameters: { id: String(id) }, authorization, method: 'POST' });
  };

  it.each(['before size', 'after read'])('%s changes nothing, and can be repeated', async (step) => {
    const user = uniqueId();
    const event = await awaiting(user);
    await dieAt(step, 'complete', event);
    expect(await picturesOf(user)).toMatchObject([{ status: 'awaiting' }]);
    expect((await createComplete(deps)(event, context)).statusCode).toBe(202);
    expect(await announced(user)).toHaveLength(1);
  });

  it.each(['before publish', 'after publish', 'before the answer'])(
    '%s is finished nevertheless',
    async (step) => {
      const user = uniqueId();
      const event = await awaiting(user);
      await dieAt(step, 'complete', event);
      expect(await picturesOf(user)).toMatchObject([{ status: 'uploaded' }]);
      await announcePictures(user);
      expect(await waiting(user)).toEqual([]);
      expect((await announced(user)).length).toBeGreaterThan(0);
      expect((await createComplete(deps)(event, context)).statusCode).toBe(202);
      expect(await announced(user)).toEqual([]);
    },
  );
});
