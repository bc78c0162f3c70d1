import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler } from '../../../functions/pictures/upload.ts';
import { UnavailableError } from '../../../shared/errors.ts';
import { openBroker, type TestBroker } from '../../broker.ts';
import { bearer, openDeps, uniqueId } from '../../deps.ts';
import { context, form, httpEvent } from '../../events.ts';

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

  it('takes a boundary in quotes, as .NET sends it', async () => {
    const { body } = form([{ content: picture }], 'b=1');
    const contentType = 'multipart/form-data; boundary="b=1"';
    const reply = await handler(httpEvent({ body, contentType, authorization: await bearer(user) }), context);
    expect(reply.statusCode).toBe(202);
  });

  it('takes 4 MiB and refuses a byte more', async () => {
    const padded = (length: number) => Buffer.concat([picture, Buffer.alloc(length - picture.length)]);
    expect((await upload([{ content: padded(4 * megabyte) }])).statusCode).toBe(202);
    const reply = await upload([{ content: padded(4 * megabyte + 1) }]);
    expect(reply.json).toMatchObject({ status: 413, detail: expect.stringContaining('4 MiB') });
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
  ])('refuses %s under the name of a JPEG with 415, and says what it is', async (_what, text, found) => {
    const reply = await upload([{ content: Buffer.from(text, 'latin1'), filename: 'picture.jpg' }]);
    expect(reply.json).toMatchObject({ status: 415, detail: expect.stringContaining(found) });
  });

  it('refuses another content type with 415 and a broken form with 400', async () => {
    const authorization = await bearer(user);
    const json = await handler(httpEvent({ body: {}, authorization }), context);
    expect(json.statusCode).toBe(415);
    const body = Buffer.from('no form at all');
    const broken = await handler(httpEvent({ ...form([]), body, authorization }), context);
    expect(broken.statusCode).toBe(400);
  });

  it('refuses callers without a token, with one that has expired, and without the scope', async () => {
    const parts = [{ content: picture }];
    expect((await upload(parts, '')).json).toMatchObject({ status: 401 });
    const expired = await upload(parts, await bearer(user, ['pictures:write'], -60));
    expect(expired.json).toMatchObject({ status: 401, detail: 'the token has expired' });
    expect(expired.headers?.['www-authenticate']).toContain('Bearer');
    expect((await upload(parts, await bearer(user, ['rpc:call']))).json).toMatchObject({ status: 403 });
  });

  it('answers 503 with Retry-After while a part is away, and tells nothing about it', async () => {
    const publisher = {
      publish: () => Promise.reject(new UnavailableError('broker', 'amqp://secret@10.0.0.1 is away')),
    };
    const event = httpEvent({
      ...form([{ content: await readFile('assets/demo.jpg') }]),
      authorization: await bearer(user),
    });
    const reply = await createHandler({ ...deps, publisher })(event, context);
    expect(reply).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    expect(reply.body).not.toContain('secret');
  });
});
