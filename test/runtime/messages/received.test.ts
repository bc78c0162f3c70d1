import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RejectedError } from '../../../runtime/base/errors.ts';
import { decode, type ReceivedMessage } from '../../../runtime/messages/received.ts';

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

const rejection = (message: ReceivedMessage): string => {
  try {
    decode(message, schema);
  } catch (error) {
    if (error instanceof RejectedError) return error.message;
    throw error;
  }
  throw new Error('expected the message to be rejected');
};

describe('decode', () => {
  it('decode: the message gets the checked body', () => {
    const message = received(good, { messageId: 'm-1' });
    expect(decode(message, schema)).toEqual({ ...message, body: { image_id: 1, by: { name: 'Ann' } } });
  });

  it.each([
    [undefined],
    ['application/json'],
    ['application/json; charset=utf-8'],
    ['Application/JSON'],
    ['application/cloudevents+json'],
  ])('decode: content type %s is JSON', (contentType) => {
    expect(decode(received(good, { contentType }), schema).body.image_id).toBe(1);
  });

  it.each([['text/plain'], ['application/jsonp'], ['application/octet-stream'], ['']])(
    'decode: content type "%s" is rejected by name',
    (contentType) => {
      expect(rejection(received(good, { contentType }))).toBe(
        `content_type: expected application/json, got "${contentType}"`,
      );
    },
  );

  it.each([['utf-8'], ['UTF8'], ['identity'], ['']])(
    'decode: content encoding "%s" means none',
    (contentEncoding) => {
      expect(decode(received(good, { contentEncoding }), schema).body.image_id).toBe(1);
    },
  );

  it.each([['gzip'], ['deflate'], ['br'], ['utf-16']])(
    'decode: content encoding %s is rejected without reading the body',
    (contentEncoding) => {
      expect(rejection(received(good, { contentEncoding }))).toBe(
        `content_encoding: expected none, got "${contentEncoding}"`,
      );
    },
  );

  it.each([
    ['the word quit', Buffer.from('quit')],
    ['nothing', Buffer.alloc(0)],
    ['JSON cut short', Buffer.from('{"image_id":1')],
    ['a JSON text in invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('decode: %s is rejected as not JSON', (_what, content) => {
    expect(rejection(received(content))).toBe(
      `body: expected JSON in UTF-8, nested at most 100 deep, got ${content.length} bytes that are not`,
    );
  });

  it('decode: the reason names each wrong field', () => {
    const reason = rejection(received('{"image_id":"one","by":{}}'));
    expect(reason).toMatch(/image_id: .*; by\.name: /);
  });

  it('decode: the reason describes a body of another type', () => {
    expect(rejection(received('[]'))).toMatch(/expected object/);
    expect(rejection(received('null'))).toMatch(/expected object/);
  });
});
