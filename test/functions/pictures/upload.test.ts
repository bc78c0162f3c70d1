import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent, recordingPublisher } from 'warren/testing';
import { createHandler } from '../../../functions/pictures/upload.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { connectDatabase } from '../../../shared/database/database.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form } from '../../support/events.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

type Form = ReturnType<typeof form>;

const user = uniqueId();
const megabyte = 1024 * 1024;

describe('POST /pictures', () => {
  const deps = openDeps();
  const handler = createHandler(deps);
  let broker: TestBroker;
  let queue: string;
  let picture: Buffer;

  beforeAll(async () => {
    broker = await openBroker();
    queue = await broker.queue('uploads');
    await broker.channel.bindQueue(queue, 'upload-pictures', '');
    picture = await sharp({ create: { width: 8, height: 6, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
  });
  afterAll(async () => {
    await broker.close();
    await deps.close();
  });

  const upload = async (parts: Parameters<typeof form>[0], authorization?: string) => {
    const event = httpEvent({ ...form(parts), authorization: authorization ?? (await bearer(user)) });
    const reply = await handler(event, context);
    return { ...reply, json: JSON.parse(reply.body ?? '') as Record<string, unknown> };
  };

  it.each(['application/octet-stream', 'IMAGE/PNG', 'image/jpg', '', null])(
    'strangers: a part without a file name and with the content type %j is the picture',
    async (type) => {
      const reply = await upload([{ content: picture, filename: null, type }]);
      expect(reply.json).toMatchObject({ status: 'uploaded' });
      const image_path = `originals/${reply.json['image_id']}.png`;
      expect((await deps.storage.get(image_path, megabyte))?.body).toEqual(picture);
    },
  );

  it('strangers: an empty file name is no file name', async () => {
    expect((await upload([{ content: picture, filename: '', type: 'image/png' }])).statusCode).toBe(202);
  });

  it('stores the original, makes a row and announces the picture', async () => {
    const reply = await upload([{ content: picture, filename: 'holiday.gif' }]);
    expect(reply.statusCode).toBe(202);
    const { image_id, status } = reply.json;
    expect(status).toBe('uploaded');
    expect(image_id).toBeGreaterThanOrEqual(1_000_000_000);
    expect(reply.headers?.['location']).toBe(`/pictures/${image_id}`);
    const image_path = `originals/${image_id}.png`;
    expect(await deps.storage.get(image_path, megabyte)).toEqual({ body: picture, contentType: 'image/png' });
    const row = await deps.db
      .selectFrom('pictures')
      .selectAll()
      .where('id', '=', Number(image_id))
      .executeTakeFirst();
    expect(row).toMatchObject({ user_id: user, image_path, status: 'uploaded', bytes: picture.length });
    // Other tests upload at the same time.
    const announced = (await broker.drain(queue)).map(({ content, properties }) => ({
      body: JSON.parse(content.toString()) as unknown,
      persistent: properties.deliveryMode === 2,
    }));
    expect(announced).toContainEqual({ body: { image_id, user_id: user, image_path }, persistent: true });
  });

  it('accepts a boundary in quotes, as .NET sends it', async () => {
    const { body } = form([{ content: picture }], 'b=1');
    const contentType = 'multipart/form-data; boundary="b=1"';
    const reply = await handler(httpEvent({ body, contentType, authorization: await bearer(user) }), context);
    expect(reply.statusCode).toBe(202);
  });

  it('accepts 4 MiB and refuses a byte more', async () => {
    const padded = (length: number) => Buffer.concat([picture, Buffer.alloc(length - picture.length)]);
    expect((await upload([{ content: padded(4 * megabyte) }])).statusCode).toBe(202);
    const reply = await upload([{ content: padded(4 * megabyte + 1) }]);
    expect(reply.json).toMatchObject({
      status: 413,
      detail: expect.stringContaining('POST /uploads'),
      uploads: '/uploads',
    });
    expect(reply.json['detail']).toContain('4 MiB');
  });

  it.each([
    ['no file', [], 'got none'],
    ['an empty file', [{ content: Buffer.alloc(0) }], 'an empty file'],
    ['two files', [{ content: Buffer.from('1') }, { content: Buffer.from('2') }], '"picture" and "picture"'],
    ['another field', [{ field: 'file', content: Buffer.from('1') }], '"file"'],
  ])('refuses %s with 422', async (_what, parts, detail) => {
    const reply = await upload(parts);
    expect(reply.json).toMatchObject({ status: 422, detail: expect.stringContaining(detail) });
    expect(reply.headers?.['content-type']).toBe('application/problem+json');
  });

  it.each([
    ['a text', 'hello', 'none of these'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'none of these'],
    ['PDF', '%PDF-1.7\n%\u00e2\u00e3', 'application/pdf'],
    ['HEIC', '\0\0\0\u0018ftypheic\0\0\0\0mif1heic', 'image/heic'],
  ])('%s under the name of a JPEG is refused with 415 and its real type', async (_what, text, found) => {
    const reply = await upload([{ content: Buffer.from(text, 'latin1'), filename: 'picture.jpg' }]);
    expect(reply.json).toMatchObject({ status: 415, detail: expect.stringContaining(found) });
  });

  it('answers another content type with 415 and a broken form with 400', async () => {
    const authorization = await bearer(user);
    const json = await handler(httpEvent({ body: {}, authorization }), context);
    expect(json.statusCode).toBe(415);
    const body = Buffer.from('no form at all');
    const broken = await handler(httpEvent({ ...form([]), body, authorization }), context);
    expect(broken.statusCode).toBe(400);
  });

  it('refuses callers without a token, with an expired token, and without the scope', async () => {
    const parts = [{ content: picture }];
    expect((await upload(parts, '')).json).toMatchObject({ status: 401 });
    const expired = await upload(parts, await bearer(user, ['pictures:write'], -60));
    expect(expired.json).toMatchObject({ status: 401, detail: 'the token has expired' });
    expect(expired.headers?.['www-authenticate']).toContain('Bearer');
    expect((await upload(parts, await bearer(user, ['rpc:call']))).json).toMatchObject({ status: 403 });
  });

  const field = 'content-disposition: form-data; name="picture"\r\n\r\nx\r\n';
  it.each([
    ['a form without a boundary', 400, (whole: Form) => ({ ...whole, contentType: 'multipart/form-data' })],
    ['a form that is cut off', 400, ({ body, ...rest }: Form) => ({ ...rest, body: body.subarray(0, -40) })],
    ['another type', 415, (whole: Form) => ({ ...whole, contentType: 'image/jpeg' })],
    [
      'a text as the picture',
      415,
      (whole: Form) => ({ ...whole, body: Buffer.from(`--a-boundary\r\n${field}--a-boundary--\r\n`) }),
    ],
  ])('%s is answered with %d, as a problem without internal details', async (_what, status, change) => {
    const authorization = await bearer(user);
    const reply = await handler(
      httpEvent({ ...change(form([{ content: picture }])), authorization }),
      context,
    );
    const headers = { 'content-type': 'application/problem+json' };
    expect(reply).toMatchObject({ statusCode: status, headers });
    const problem = { type: 'about:blank', title: expect.any(String), status, detail: expect.any(String) };
    expect(JSON.parse(reply.body ?? '')).toEqual(problem);
    expect(reply.body).not.toMatch(/\.ts|node_modules|at \w+ \(|stack/);
  });

  it('a token that is unsigned, signed with another secret, or without a user is refused', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = part({ sub: String(user), exp: 2 ** 33, scope: 'pictures:write' });
    const [head, , signature] = (await bearer(user)).replace('Bearer ', '').split('.');
    const tokens = [
      `${part({ alg: 'none' })}.${claims}.`,
      `${part({ alg: 'None' })}.${claims}.AAAA`,
      `${head}.${claims}.${signature}`,
      'not-a-token',
    ];
    for (const token of tokens) {
      const reply = await upload([{ content: picture }], `Bearer ${token}`);
      expect(reply.json, token).toMatchObject({ status: 401 });
      expect(reply.headers?.['content-type']).toBe('application/problem+json');
    }
  });

  it('makes a new picture for each request, also for concurrent requests with the same file', async () => {
    const replies = await Promise.all([1, 2, 3].map(() => upload([{ content: picture }])));
    expect(replies.map(({ statusCode }) => statusCode)).toEqual([202, 202, 202]);
    expect(new Set(replies.map(({ json }) => json['image_id'])).size).toBe(3);
  });

  const answerWith = async (given: Partial<Parameters<typeof createHandler>[0]>) => {
    const event = httpEvent({ ...form([{ content: picture }]), authorization: await bearer(user) });
    const startedAt = performance.now();
    const reply = await createHandler({ ...deps, ...given })(event, context);
    return { ...reply, seconds: (performance.now() - startedAt) / 1000 };
  };
  const unavailable = {
    statusCode: 503,
    headers: { 'retry-after': '5', 'content-type': 'application/problem+json' },
  };

  it("a picture is accepted within five seconds while no process listens at the broker's address", async () => {
    const publisher = new Publisher({ url: 'amqp://user:secret@127.0.0.1:9', name: unique('unavailable') });
    const reply = await answerWith({ publisher });
    expect(reply.statusCode).toBe(202);
    expect(reply.seconds).toBeLessThan(5);
    expect(reply.body).not.toMatch(/secret|127\.0/);
    await publisher.close();
  });

  it('a picture is accepted within five seconds while the broker accepts a connection and is silent', async () => {
    await withFaultyServer(
      () => undefined,
      async (port) => {
        const publisher = new Publisher({ url: `amqp://127.0.0.1:${port}`, name: unique('silent') });
        const reply = await answerWith({ publisher });
        expect(reply.statusCode).toBe(202);
        expect(reply.seconds).toBeLessThan(5);
        await publisher.close();
      },
    );
  });

  it('answers 503 while the storage or the database is unavailable, and announces nothing', async () => {
    const { storage } = readSettings(
      { storage: storageSettings },
      { ...stack, S3_ENDPOINT: 'http://127.0.0.1:9' },
    );
    const db = connectDatabase({ url: 'postgres://user:secret@127.0.0.1:9/x', name: unique('unavailable') });
    for (const given of [{ storage: createStorage(storage) }, { db }]) {
      const publisher = recordingPublisher();
      const copies = publisher.published;
      const reply = await answerWith({ ...given, publisher });
      expect(reply).toMatchObject(unavailable);
      expect(reply.body).not.toContain('secret');
      expect(copies).toEqual([]);
    }
    await db.destroy();
  });
});
