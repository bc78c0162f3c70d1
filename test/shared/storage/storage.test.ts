import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSettings } from '../../../runtime/settings/read.ts';
import type { StorageLimits } from '../../../shared/storage/s3.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const storageWith = (given: Record<string, string> = {}, limits?: StorageLimits) =>
  createStorage(readSettings({ storage: storageSettings }, { ...stack, ...given }).storage, limits);

/** Answers the first request of a connection with these bytes. */
const answering = (text: string, then?: 'and hang up') => (socket: Socket) => {
  socket.once('data', () => (then ? socket.end(text) : socket.write(text)));
};

const close = (text: string) => `content-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`;
/** An error page of nginx, which is not XML. */
const html = close('<html>\r\n<body>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n');

describe('the storage', () => {
  const storage = storageWith();
  const body = Buffer.from([0, 1, 2, 253, 254, 255]);

  it('returns an object byte for byte as it was stored', async () => {
    const key = `test/${randomUUID()} with spaces & ümlauts`;
    await storage.put(key, body, 'image/png');
    expect(await storage.get(key, 100)).toEqual({ body, contentType: 'image/png' });
  });

  it('a missing object is undefined', async () => {
    expect(await storage.get(`test/${randomUUID()}`, 100)).toBeUndefined();
  });

  it('refuses to read an object above the limit', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/png');
    await expect(storage.get(key, 5)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
    expect((await storage.get(key, 6))?.body).toHaveLength(6);
  });

  it('the size and a part of an object are read, or undefined without one', async () => {
    const key = `test/${randomUUID()}`;
    expect([await storage.size(key), await storage.read(key, { start: 0, length: 4 })]).toEqual([
      undefined,
      undefined,
    ]);
    await storage.put(key, body, 'image/png');
    expect(await storage.size(key)).toBe(6);
    expect(await storage.read(key, { start: 0, length: 4 })).toEqual(body.subarray(0, 4));
    expect(await storage.read(key, { start: 4, length: 9 })).toEqual(body.subarray(4));
    expect(await storage.read(key, { start: 0, length: 4100 })).toEqual(body);
  });

  it('lists the keys with a prefix, and removes objects, also a second time', async () => {
    const prefix = `test/${randomUUID()}/`;
    const keys = Array.from({ length: 3 }, (_, index) => `${prefix}${index}.webp`);
    for (const key of keys) await storage.put(key, body, 'image/webp');
    await storage.put(`${prefix.slice(0, -1)}0/other.webp`, body, 'image/webp');
    expect((await storage.list(prefix)).sort()).toEqual(keys);
    for (const key of [...keys, ...keys]) await storage.remove(key);
    expect(await storage.list(prefix)).toEqual([]);
    expect(await storage.list(`${prefix.slice(0, -1)}0/`)).toHaveLength(1);
  });

  it('signs an address for an object of exactly one type and size, without a checksum', async () => {
    for (const given of [{}, { S3_ENDPOINT: '' }]) {
      const object = { contentType: 'image/png', bytes: 6 };
      const { searchParams } = new URL(await storageWith(given).putUrl('test/x', object, 3600));
      expect(searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host');
      expect(searchParams.get('X-Amz-Expires')).toBe('3600');
      expect([...searchParams.keys()].join()).not.toMatch(/checksum/i);
    }
  });

  it('accepts an object at a signed address from any client; a real S3 only of the signed type and size', async () => {
    const key = `test/${randomUUID()}`;
    const url = await storage.putUrl(key, { contentType: 'image/png', bytes: 6 }, 60);
    const put = async (type: string, content: Buffer) =>
      (await fetch(url, { method: 'PUT', body: content, headers: { 'content-type': type } })).status;
    // s3rver checks no signature; therefore the functions check type and size again.
    const refused = process.env['WARREN_STORAGE'] === 'versitygw' ? 403 : 200;
    expect(await put('image/jpeg', body)).toBe(refused);
    expect(await put('image/png', Buffer.alloc(7))).toBe(refused);
    expect(await put('image/png', body)).toBe(200);
    expect(await storage.get(key, 100)).toEqual({ body, contentType: 'image/png' });
  });

  it('allows a page of another origin to store an object', async () => {
    const url = await storage.putUrl(`test/${randomUUID()}`, { contentType: 'image/png', bytes: 6 }, 60);
    const origin = 'http://127.0.0.1:3000';
    const asks = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' };
    const preflight = await fetch(url, { method: 'OPTIONS', headers: { origin, ...asks } });
    expect(preflight.ok).toBe(true);
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PUT');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('content-type');
    const headers = { origin, 'content-type': 'image/png' };
    const answer = await fetch(url, { method: 'PUT', body, headers });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
      200,
      expect.stringMatching(/^(\*|http:\/\/127.0.0.1:3000)$/),
    ]);
  });

  it('makes links that any client can read', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/webp');
    const url = await storage.url(key);
    const response = await fetch(url);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
  });

  describe('within an hour and after it', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
    afterEach(() => void vi.useRealTimers());
    const urlAt = (time: string) => {
      vi.setSystemTime(`2026-03-01T${time}Z`);
      return storage.url('pictures/1/a-160.webp');
    };

    it('links are the same within the hour, so that a browser can cache the object', async () => {
      expect(await urlAt('10:59:59.999')).toBe(await urlAt('10:00:00.000'));
      expect(await urlAt('11:00:00.000')).not.toBe(await urlAt('10:59:59.999'));
    });

    it('links are valid for at least an hour', async () => {
      for (const time of ['10:00:00', '10:59:59']) {
        const { searchParams } = new URL(await urlAt(time));
        const [, day, clock] = /^(\d{8})T(\d{6})Z$/.exec(searchParams.get('X-Amz-Date') ?? '') ?? [];
        expect([day, clock]).toEqual(['20260301', '100000']);
        const end = Date.parse('2026-03-01T10:00:00Z') + Number(searchParams.get('X-Amz-Expires')) * 1000;
        expect(end - Date.parse(`2026-03-01T${time}Z`)).toBeGreaterThanOrEqual(3_600_000);
      }
    });
  });

  it('links are below the public address if there is one', async () => {
    const links = storageWith({ S3_PUBLIC_URL: 'https://pictures.example.com/base/' });
    expect(await links.url('pictures/1/a-160.webp')).toBe(
      'https://pictures.example.com/base/pictures/1/a-160.webp',
    );
  });

  it('the storage is unavailable if it cannot be reached, or has no such bucket', async () => {
    const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
    const nowhere = storageWith({ S3_ENDPOINT: 'http://127.0.0.1:9' });
    await expect(nowhere.get('x', 100)).rejects.toMatchObject(unavailable);
    await expect(nowhere.put('x', body, 'image/png')).rejects.toMatchObject(unavailable);
    await expect(nowhere.ready()).rejects.toMatchObject(unavailable);
    const empty = storageWith({ S3_BUCKET: 'no-such-bucket' });
    await expect(empty.put('x', body, 'image/png')).rejects.toMatchObject(unavailable);
    await expect(empty.ready()).rejects.toMatchObject(unavailable);
    await expect(storage.ready()).resolves.toBeUndefined();
  });

  it('replaces an object', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/png');
    await storage.put(key, Buffer.from('new'), 'image/webp');
    expect(await storage.get(key, 100)).toEqual({ body: Buffer.from('new'), contentType: 'image/webp' });
  });

  it.each([
    ['has a content-length', 'content-length: 999999999\r\n\r\nstart'],
    ['is sent in chunks', `transfer-encoding: chunked\r\n\r\nffffff\r\n${'x'.repeat(2000)}`],
  ])('refuses an object above the limit that %s, without reading it to the end', async (_what, rest) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n${rest}`;
    await withFaultyServer(answering(head), async (port) => {
      const giant = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      await expect(giant.get('x', 1000)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
    });
  });

  it.each([
    ['closes the connection before an answer', ''],
    [
      'closes the connection in the middle of an object',
      'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly the start',
    ],
    ['is overloaded', 'HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['has an internal error', 'HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['answers 429', 'HTTP/1.1 429 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['is unreachable for its proxy', `HTTP/1.1 502 Bad Gateway\r\n${html}`],
    ['is too slow for its proxy', `HTTP/1.1 504 Gateway Time-out\r\n${html}`],
  ])('is unavailable if it %s', async (what, answer) => {
    await withFaultyServer(answering(answer, 'and hang up'), async (port) => {
      const faulty = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
      await expect(faulty.get('x', 2000), what).rejects.toMatchObject(unavailable);
    });
  });

  it.each([
    ['does not answer', ''],
    ['stalls in the middle of an object', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly the start'],
  ])('is unavailable if it %s', async (what, answer) => {
    await withFaultyServer(answering(answer), async (port) => {
      const silent = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` }, { silentMs: 200 });
      const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
      await expect(silent.get('x', 2000), what).rejects.toMatchObject(unavailable);
      await expect(silent.read('x', { start: 0, length: 2000 }), what).rejects.toMatchObject(unavailable);
    });
  });

  const code = (name: string) => close(`<Error><Code>${name}</Code><Message>no</Message></Error>`);
  it.each([
    [
      'refuses the signature',
      `HTTP/1.1 403 Forbidden\r\n${code('SignatureDoesNotMatch')}`,
      /SignatureDoesNotMatch/,
    ],
    [
      'does not know the access key',
      `HTTP/1.1 403 Forbidden\r\n${code('InvalidAccessKeyId')}`,
      /InvalidAccessKeyId/,
    ],
    ['sees another time', `HTTP/1.1 403 Forbidden\r\n${code('RequestTimeTooSkewed')}`, /the clock/],
    ['refuses access', `HTTP/1.1 403 Forbidden\r\n${code('AccessDenied')}`, /AccessDenied/],
    ['refuses access with a page of a proxy', `HTTP/1.1 403 Forbidden\r\n${html}`, /status 403/],
    ['sees an expired token', `HTTP/1.1 400 Bad Request\r\n${code('ExpiredToken')}`, /ExpiredToken/],
    ['is in another region', `HTTP/1.1 301 Moved\r\n${code('PermanentRedirect')}`, /AWS_REGION/],
    ['throttles', `HTTP/1.1 503 Slow Down\r\n${code('SlowDown')}`, /overloaded/],
    ['has no such bucket', `HTTP/1.1 404 Not Found\r\n${code('NoSuchBucket')}`, /S3_BUCKET/],
    ['is a proxy that knows no such page', `HTTP/1.1 404 Not Found\r\n${html}`, /status 404/],
  ])('is unavailable for every operation if it %s, and names the reason', async (_what, answer, reason) => {
    await withFaultyServer(answering(answer, 'and hang up'), async (port) => {
      const refusing = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      const operations = {
        get: () => refusing.get('x', 100),
        put: () => refusing.put('x', body, 'image/png'),
        read: () => refusing.read('x', { start: 0, length: 9 }),
        size: () => refusing.size('x'),
        list: () => refusing.list('x'),
        remove: () => refusing.remove('x'),
        ready: () => refusing.ready(),
      };
      for (const [operation, call] of Object.entries(operations)) {
        const error = await call().then(
          () => 'success',
          (thrown: unknown) => thrown,
        );
        // The answer to a HEAD has no body: its status alone does not identify a bucket, and there is no code.
        const isHead = operation === 'ready' || operation === 'size';
        if (operation === 'size' && answer.includes(' 404 ')) continue;
        const message = isHead ? expect.any(String) : expect.stringMatching(reason);
        expect(error, operation).toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'storage', message });
      }
    });
  });

  it('is unavailable if it trickles an object, after the limit for the request', async () => {
    const trickling = (socket: Socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
        const timer = setInterval(() => socket.write('x'), 20);
        socket.once('close', () => clearInterval(timer));
      });
    };
    await withFaultyServer(trickling, async (port) => {
      const limits = { silentMs: 1000, requestMs: 400, objectMs: 400 };
      const slow = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` }, limits);
      const unavailable = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
      await expect(slow.get('x', 2000)).rejects.toMatchObject(unavailable);
      await expect(slow.read('x', { start: 0, length: 2000 })).rejects.toMatchObject(unavailable);
    });
  });

  it('is unavailable without credentials', async () => {
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true' };
    for (const [name, value] of Object.entries(none)) vi.stubEnv(name, value);
    try {
      await expect(storageWith(none).get('x', 10)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringContaining('credentials'),
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('rejects a key that no object can have', async () => {
    await withFaultyServer(
      answering(`HTTP/1.1 400 Bad Request\r\n${code('KeyTooLongError')}`, 'and hang up'),
      async (port) => {
        const strict = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
        await expect(strict.get('x', 10)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
      },
    );
  });
});
