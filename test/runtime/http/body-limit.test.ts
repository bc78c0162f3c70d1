import { describe, expect, it, vi } from 'vitest';
import { httpEvent } from 'warren/testing';
import { z } from 'zod';
import { bodyBytes, readJson, readJsonBytes } from '../../../runtime/http/body.ts';
import { bodyLimitOf } from '../../../runtime/http/body-limit.ts';
import { httpFunction, json, publicFunction } from '../../../runtime/http/function.ts';
import { lambda } from '../../../runtime/resources/lambda.ts';
import { context } from '../../support/events.ts';

const limit = 64 * 1024;

/** A JSON text of so many bytes. */
const text = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2));

describe('the limit of a body', () => {
  const authenticate = vi.fn(async () => undefined);
  const handle = vi.fn(async () => json(200, {}));

  it('body limit: an event whose body is null, as serverless-offline has it, is handled', async () => {
    const event = Object.assign(httpEvent(), { body: null });
    const call = publicFunction({}, async (got) => json(200, { bytes: bodyBytes(got).length }));
    expect(await call(event as never, context)).toMatchObject({ statusCode: 200, body: '{"bytes":0}' });
  });

  it.each([
    ['as text', text(limit), text(limit + 1)],
    ['in base64', Buffer.from(text(limit)), Buffer.from(text(limit + 1))],
    ['in characters of several bytes', 'é'.repeat(limit / 2), `${'é'.repeat(limit / 2)}x`],
  ])(
    'body limit: a body %s of 64 KiB is handled, and a larger one is refused with 413 before anything else',
    async (_what, most, more) => {
      const contentType = Buffer.isBuffer(most) ? 'application/octet-stream' : 'application/json';
      const event = (body: string | Buffer) => httpEvent({ body, contentType });
      for (const call of [
        publicFunction({ maxBytes: undefined }, handle),
        httpFunction({ authenticate }, handle),
      ]) {
        vi.clearAllMocks();
        expect(await call(event(most), context)).toMatchObject({ statusCode: 200 });
        vi.clearAllMocks();
        const { statusCode, body = '' } = await call(event(more), context);
        expect([statusCode, JSON.parse(body)]).toEqual([
          413,
          expect.objectContaining({ detail: 'body: expected at most 65536 bytes, got 65537' }),
        ]);
        expect(handle).not.toHaveBeenCalled();
        expect(authenticate).not.toHaveBeenCalled();
      }
    },
  );

  it('body limit: a function may set a higher or a lower one', async () => {
    const call = httpFunction({ authenticate, maxBytes: 10 }, handle);
    expect(await call(httpEvent({ body: text(10) }), context)).toMatchObject({ statusCode: 200 });
    expect(await call(httpEvent({ body: text(11) }), context)).toMatchObject({ statusCode: 413 });
    const large = publicFunction({ maxBytes: 1_000_000 }, handle);
    expect(await large(httpEvent({ body: text(1_000_000) }), context)).toMatchObject({ statusCode: 200 });
  });

  it('body limit: hosts find it at the handler, also if it depends on the environment', () => {
    expect(bodyLimitOf(publicFunction({}, handle))).toBe(limit);
    expect(bodyLimitOf(httpFunction({ authenticate, maxBytes: 10 }, handle))).toBe(10);
    expect(bodyLimitOf(lambda({}, () => handle))).toBe(limit);
    expect(bodyLimitOf(lambda({}, () => handle, { maxBytes: 10 }))).toBe(10);
    expect(bodyLimitOf(lambda({}, () => handle, { maxBytes: () => 20 }))).toBe(20);
  });

  it('body limit: a body above the limit of its reader is refused before it is parsed', () => {
    const parse = vi.spyOn(JSON, 'parse');
    const refused = expect.objectContaining({ name: 'Problem', status: 413 });
    const event = httpEvent({ body: text(101) });
    expect(() => readJson(event, z.string(), 100)).toThrow(refused);
    expect(() => readJsonBytes(event, 100)).toThrow(refused);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
    expect(readJson(event, z.string(), 101)).toHaveLength(99);
  });
});
