import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { JsonNumber, stringifyJson } from '../../../runtime/base/json.ts';
import { type BodyOptions, decodeBody } from '../../../runtime/messages/body.ts';
import type { ReceivedMessage } from '../../../runtime/messages/received.ts';
import { utf16, utf32 } from '../../support/utf16.ts';

const schema = z.object({ image_id: z.number(), by: z.object({ name: z.string() }) });
const good = '{"image_id":1,"by":{"name":"Ann"}}';

const received = (content: string | Buffer, given: Partial<ReceivedMessage> = {}): ReceivedMessage => ({
  queue: 'q',
  vhost: '/',
  content: Buffer.from(content),
  headers: {},
  redelivered: false,
  attempt: 1,
  ...given,
});

const bodyOf = async <Body>(message: ReceivedMessage, options: BodyOptions<Body>) =>
  (await decodeBody(message, options)).body;

const rejection = async <Body>(message: ReceivedMessage, options: BodyOptions<Body>): Promise<string> => {
  try {
    await decodeBody(message, options);
  } catch (error) {
    if (error instanceof RejectedError) return error.message;
    throw error;
  }
  throw new Error('expected the message to be rejected');
};

describe('JSON body', () => {
  it('JSON body: the replacement character of a sender is a character like any other', async () => {
    const message = received('{"image_id":1,"by":{"name":"A\ufffdnn"}}');
    expect(await bodyOf(message, { schema })).toEqual({ image_id: 1, by: { name: 'A\ufffdnn' } });
  });

  it('JSON body: the message gets the checked body', async () => {
    const message = received(good, { messageId: 'm-1' });
    expect(await decodeBody(message, { schema })).toEqual({
      ...message,
      body: { image_id: 1, by: { name: 'Ann' } },
    });
  });

  it.each([
    [undefined],
    [''],
    ['application/json'],
    ['application/json; charset=utf-8'],
    ['Application/JSON'],
    ['application/cloudevents+json'],
    ['text/json'],
    ['TEXT/JSON;charset=UTF-8'],
    ['application/vnd.x+json; version=1'],
    ['model/gltf+json'],
    [' application/json '],
    [' '],
  ])('JSON body: content type %j is JSON', async (contentType) => {
    expect((await bodyOf(received(good, { contentType }), { schema })).image_id).toBe(1);
  });

  it.each([['text/plain'], ['application/jsonp'], ['application/octet-stream']])(
    'JSON body: content type "%s" is rejected by name',
    async (contentType) => {
      expect(await rejection(received(good, { contentType }), { schema })).toBe(
        `content_type: expected application/json, got "${contentType}"`,
      );
    },
  );

  it('JSON body: jsonTypes names other content types that are JSON', async () => {
    const jsonTypes = ['application/octet-stream'];
    const contentType = 'Application/Octet-Stream; x=1';
    expect((await bodyOf(received(good, { contentType }), { schema, jsonTypes })).image_id).toBe(1);
    expect(await rejection(received(good, { contentType: 'text/plain' }), { schema, jsonTypes })).toBe(
      'content_type: expected application/json or application/octet-stream, got "text/plain"',
    );
  });

  it('JSON body: a UTF-8 byte order mark is ignored', async () => {
    expect((await bodyOf(received(`\ufeff${good}`), { schema })).image_id).toBe(1);
  });

  it.each(['le', 'be'] as const)(
    'JSON body: UTF-16 (%s) is decoded, with and without its byte order mark',
    async (order) => {
      const content = utf16('{"name":"Zürich \u{1f600}","price":1.10}', order);
      const without = content.subarray(2);
      for (const bytes of [content, without]) {
        const body = await bodyOf(received(bytes), { decode: 'exact-json' });
        expect(stringifyJson(body)).toBe('{"name":"Zürich \u{1f600}","price":1.10}');
      }
      expect(await bodyOf(received(utf16('Zürich', order)), { decode: 'text' })).toBe('Zürich');
    },
  );

  it.each([
    ['the word quit', Buffer.from('quit')],
    ['nothing', Buffer.alloc(0)],
    ['JSON cut short', Buffer.from('{"image_id":1')],
    ['a JSON text in invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['UTF-16 that ends within a character', utf16('{"image_id":1}', 'le').subarray(0, -1)],
    ['UTF-16 with half of a surrogate pair', utf16('"\ud83d"', 'be')],
    ['UTF-32', utf32(good)],
    ['more than 100,000 values', Buffer.from(`[${'1,'.repeat(100_000)}1]`)],
    ['arrays in arrays, 101 deep', Buffer.from('['.repeat(101) + ']'.repeat(101))],
  ])('JSON body: %s is rejected as not JSON', async (_what, content) => {
    expect(await rejection(received(content), { schema })).toBe(
      `body: expected JSON in UTF-8, nested at most 100 deep, with at most 100000 values, got ${content.length} bytes that are not`,
    );
  });

  it('JSON body: the reason names each wrong field, and a body of another type', async () => {
    expect(await rejection(received('{"image_id":"one","by":{}}'), { schema })).toBe(
      'image_id: expected number, got string; by.name: expected string, got undefined',
    );
    expect(await rejection(received('[]'), { schema })).toBe('body: expected object, got array');
    expect(await rejection(received('null'), { schema })).toBe('body: expected object, got null');
  });

  it('JSON body: a number that JavaScript cannot hold is refused by a schema for numbers, and not rounded', async () => {
    expect(await rejection(received('{"image_id":9007199254740993,"by":{"name":"Ann"}}'), { schema })).toBe(
      'image_id: expected number, got number that JavaScript cannot hold',
    );
    const any = z.object({ image_id: z.union([z.number(), z.instanceof(JsonNumber)]) });
    const body = await bodyOf(received('{"image_id":9007199254740993}'), { schema: any });
    expect(String(body.image_id)).toBe('9007199254740993');
  });

  it('JSON body: with exact-json, each number is written with the digits of the message', async () => {
    const text = '{"a":-0,"b":1.10,"c":9007199254740993,"d":1.5}';
    const body = await bodyOf(received(text), { decode: 'exact-json' });
    expect([stringifyJson(body), (body as { d: unknown }).d]).toEqual([text, 1.5]);
    const schema = z.object({ d: z.number() });
    expect(await bodyOf(received(text), { decode: 'exact-json', schema })).toEqual({ d: 1.5 });
    expect(await rejection(received(text, { contentType: 'text/csv' }), { decode: 'exact-json' })).toBe(
      'content_type: expected application/json, got "text/csv"',
    );
  });

  it('JSON body: without a schema, the body is not checked', async () => {
    expect(await bodyOf(received('[1]'), {})).toEqual([1]);
  });
});

describe('size and content encoding', () => {
  it.each([['utf-8'], ['UTF8'], ['identity'], [''], ['binary'], ['us-ascii'], ['UTF-16LE']])(
    'content encoding: "%s" means none',
    async (contentEncoding) => {
      expect((await bodyOf(received(good, { contentEncoding }), { schema })).image_id).toBe(1);
    },
  );

  it.each<[string, (content: string) => Buffer]>([
    ['gzip', gzipSync],
    ['X-GZIP', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
  ])(
    'content encoding: %s is inflated, and the message keeps its bytes',
    async (contentEncoding, deflate) => {
      const content = deflate(good);
      const message = await decodeBody(received(content, { contentEncoding }), { schema });
      expect(message.body.image_id).toBe(1);
      expect(message.content).toEqual(content);
    },
  );

  it('content encoding: an unknown one is rejected by name, and so are bytes that are not in it', async () => {
    expect(await rejection(received(good, { contentEncoding: 'zstd' }), { schema })).toBe(
      'content_encoding: expected gzip, deflate, br or none, got "zstd"',
    );
    for (const contentEncoding of ['gzip', 'deflate', 'br', 'constructor']) {
      expect(await rejection(received(good, { contentEncoding }), { schema })).toContain(contentEncoding);
    }
  });

  it('body: 1 MiB is the limit before and after its content encoding, if maxBytes sets no other', async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, 0x20));
    const before = process.memoryUsage().arrayBuffers;
    expect(await rejection(received(bomb, { contentEncoding: 'gzip' }), {})).toBe(
      `body: expected at most 1048576 bytes, got more in ${bomb.length} bytes of gzip`,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    const large = received(JSON.stringify('x'.repeat(1024 * 1024)));
    expect(await rejection(large, {})).toBe('body: expected at most 1048576 bytes, got 1048578');
    expect(await bodyOf(large, { maxBytes: 2_000_000 })).toHaveLength(1024 * 1024);
  });
});

describe('decode', () => {
  it('decode: text and bytes take every content type, compressed or not', async () => {
    const properties = { contentType: 'image/png', contentEncoding: 'gzip' };
    const message = () => received(gzipSync('Zürich'), properties);
    expect(await bodyOf(message(), { decode: 'text', schema: z.string() })).toBe('Zürich');
    expect(await bodyOf(message(), { decode: 'bytes' })).toEqual(Buffer.from('Zürich'));
    expect(await rejection(received(Buffer.from([0xff])), { decode: 'text' })).toBe(
      'body: expected text in UTF-8, got 1 bytes that are not',
    );
  });

  it('decode: a function gets the inflated bytes and the properties, and its result is checked', async () => {
    const options: BodyOptions<{ line: string[] }> = {
      schema: z.object({ line: z.array(z.string()) }),
      decode: async (content, { contentType }) => ({ line: [contentType, ...content.toString().split(';')] }),
    };
    const message = received(gzipSync('a;b'), { contentType: 'text/csv', contentEncoding: 'gzip' });
    expect(await bodyOf(message, options)).toEqual({ line: ['text/csv', 'a', 'b'] });
    expect(await rejection(received('a'), options)).toBe('line.0: expected string, got undefined');
  });

  it('decode: what a function throws rejects the message, unless a dependency is unavailable', async () => {
    const failing = (error: unknown): BodyOptions<unknown> => ({ decode: async () => Promise.reject(error) });
    expect(await rejection(received('a'), failing(new RangeError('index out of range')))).toBe(
      'body: cannot be decoded: index out of range',
    );
    const away = new UnavailableError('registry', 'the schema registry is unavailable');
    await expect(decodeBody(received('a'), failing(away))).rejects.toBe(away);
  });
});

describe('schemas', () => {
  it('schemas: the property type selects the schema, and another type is rejected by name', async () => {
    const schemas = { created: z.object({ id: z.number() }), deleted: z.object({ why: z.string() }) };
    const options = { schemas } as BodyOptions<{ id: number } | { why: string }>;
    expect(await bodyOf(received('{"why":"x"}', { type: 'deleted' }), options)).toEqual({ why: 'x' });
    expect(await rejection(received('{"why":"x"}', { type: 'created' }), options)).toBe(
      'id: expected number, got undefined',
    );
    expect(await rejection(received('{}', { type: 'toString' }), options)).toBe(
      'type: expected "created" or "deleted", got "toString"',
    );
    expect(await rejection(received('{}'), options)).toBe('type: expected "created" or "deleted", got none');
  });

  it('schema: Zod, Valibot and ArkType check a body, and asynchronous checks are awaited', async () => {
    const zod = z
      .object({ n: z.number() })
      .refine(async ({ n }) => n < 5, { path: ['n'], error: 'expected below 5' });
    const valibot = v.pipeAsync(
      v.object({ n: v.number() }),
      v.checkAsync(async ({ n }) => n < 5, 'expected below 5'),
    );
    const arktype = type({ n: 'number < 5' });
    for (const each of [zod, valibot, arktype]) {
      expect(await bodyOf(received('{"n":1}'), { schema: each })).toEqual({ n: 1 });
      expect(await rejection(received('{"n":7}'), { schema: each })).toMatch(/^(n|body): .*5/);
      expect(await rejection(received('{}'), { schema: each })).toMatch(/^n: /);
    }
  });
});
