import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WarrenError } from '../../../runtime/base/errors.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { createStorage } from '../../../shared/storage/storage.ts';
import { withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

const storageWith = (given: Record<string, string> = {}, silentMs?: number) =>
  createStorage(readSettings({ storage: storageSettings }, { ...stack, ...given }).storage, silentMs);

/** Answers the first request on a connection with these bytes. */
const answering = (text: string, then?: 'and hang up') => (socket: Socket) => {
  socket.once('data', () => (then ? socket.end(text) : socket.write(text)));
};

const close = (text: string) => `content-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`;
/** As nginx has it, and no XML. */
const html = close('<html>\r\n<body>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n');
const denied = close('<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>');

describe('the storage', () => {
  const storage = storageWith();
  const body = Buffer.from([0, 1, 2, 253, 254, 255]);

  it('gives back what was put, byte for byte', async () => {
    const key = `test/${randomUUID()} with spaces & ümlauts`;
    await storage.put(key, body, 'image/png');
    expect(await storage.get(key, 100)).toEqual({ body, contentType: 'image/png' });
  });

  it('a missing object is undefined', async () => {
    expect(await storage.get(`test/${randomUUID()}`, 100)).toBeUndefined();
  });

  it('refuses to read more than asked for', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/png');
    await expect(storage.get(key, 5)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
    expect((await storage.get(key, 6))?.body).toHaveLength(6);
  });

  it('the size and the first bytes of an object are read, or undefined without one', async () => {
    const key = `test/${randomUUID()}`;
    expect([await storage.size(key), await storage.start(key, 4)]).toEqual([undefined, undefined]);
    await storage.put(key, body, 'image/png');
    expect(await storage.size(key)).toBe(6);
    expect(await storage.start(key, 4)).toEqual(body.subarray(0, 4));
    expect(await storage.start(key, 4100)).toEqual(body);
  });

  it('lists what begins so, and removes it; twice is once', async () => {
    const prefix = `test/${randomUUID()}/`;
    const keys = Array.from({ length: 3 }, (_, index) => `${prefix}${index}.webp`);
    for (const key of keys) await storage.put(key, body, 'image/webp');
    await storage.put(`${prefix.slice(0, -1)}0/other.webp`, body, 'image/webp');
    expect((await storage.list(prefix)).sort()).toEqual(keys);
    for (const key of [...keys, ...keys]) await storage.remove(key);
    expect(await storage.list(prefix)).toEqual([]);
    expect(await storage.list(`${prefix.slice(0, -1)}0/`)).toHaveLength(1);
  });

  it('signs an address for one object of just one type and size, and for no checksum of nothing', async () => {
    for (const given of [{}, { S3_ENDPOINT: '' }]) {
      const object = { contentType: 'image/png', bytes: 6 };
      const { searchParams } = new URL(await storageWith(given).putUrl('test/x', object, 3600));
      expect(searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host');
      expect(searchParams.get('X-Amz-Expires')).toBe('3600');
      expect([...searchParams.keys()].join()).not.toMatch(/checksum/i);
    }
  });

  it('takes an object at such an address from anyone; a real S3 that of the signed type and size only', async () => {
    const key = `test/${randomUUID()}`;
    const url = await storage.putUrl(key, { contentType: 'image/png', bytes: 6 }, 60);
    const put = async (type: string, content: Buffer) =>
      (await fetch(url, { method: 'PUT', body: content, headers: { 'content-type': type } })).status;
    // s3rver looks at no signature, which is why the functions check again.
    const refused = process.env['WARREN_STORAGE'] === 'minio' ? 403 : 200;
    expect(await put('image/jpeg', body)).toBe(refused);
    expect(await put('image/png', Buffer.alloc(7))).toBe(refused);
    expect(await put('image/png', body)).toBe(200);
    expect(await storage.get(key, 100)).toEqual({ body, contentType: 'image/png' });
  });

  it('lets a page of another origin put an object there', async () => {
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

  it('makes links that anyone can follow', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/webp');
    const url = await storage.url(key);
    const response = await fetch(url);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
  });

  describe('as the hour goes by', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
    afterEach(() => void vi.useRealTimers());
    const urlAt = (time: string) => {
      vi.setSystemTime(`2026-03-01T${time}Z`);
      return storage.url('pictures/1/a-160.webp');
    };

    it('gives the same link within it, so that a browser can cache what it leads to', async () => {
      expect(await urlAt('10:59:59.999')).toBe(await urlAt('10:00:00.000'));
      expect(await urlAt('11:00:00.000')).not.toBe(await urlAt('10:59:59.999'));
    });

    it('gives links that last for an hour at least', async () => {
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
    const away = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
    const nowhere = storageWith({ S3_ENDPOINT: 'http://127.0.0.1:9' });
    await expect(nowhere.get('x', 100)).rejects.toMatchObject(away);
    await expect(nowhere.put('x', body, 'image/png')).rejects.toMatchObject(away);
    await expect(nowhere.ready()).rejects.toMatchObject(away);
    const empty = storageWith({ S3_BUCKET: 'no-such-bucket' });
    await expect(empty.put('x', body, 'image/png')).rejects.toMatchObject(away);
    await expect(empty.ready()).rejects.toMatchObject(away);
    await expect(storage.ready()).resolves.toBeUndefined();
  });

  it('puts an object in place of the one that is there', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/png');
    await storage.put(key, Buffer.from('new'), 'image/webp');
    expect(await storage.get(key, 100)).toEqual({ body: Buffer.from('new'), contentType: 'image/webp' });
  });

  it.each([
    ['says how large it is', 'content-length: 999999999\r\n\r\nstart'],
    ['does not', `transfer-encoding: chunked\r\n\r\nffffff\r\n${'x'.repeat(2000)}`],
  ])('refuses a giant that %s, without waiting for its end', async (_what, rest) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n${rest}`;
    await withFaultyServer(answering(head), async (port) => {
      const giant = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      await expect(giant.get('x', 1000)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
    });
  });

  it.each([
    ['hangs up before it answers', ''],
    ['hangs up in the middle of an object', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly the start'],
    ['is overloaded', 'HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['has a fault of its own', 'HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['asks for patience', 'HTTP/1.1 429 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['hides behind a proxy that does not reach it', `HTTP/1.1 502 Bad Gateway\r\n${html}`],
    ['hides behind a proxy that waits no longer', `HTTP/1.1 504 Gateway Time-out\r\n${html}`],
  ])('is away when it %s', async (what, answer) => {
    await withFaultyServer(answering(answer, 'and hang up'), async (port) => {
      const faulty = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      const away = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
      await expect(faulty.get('x', 2000), what).rejects.toMatchObject(away);
    });
  });

  it.each([
    ['answers nothing', ''],
    ['stalls in the middle of an object', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly the start'],
  ])('is away when it %s', async (what, answer) => {
    await withFaultyServer(answering(answer), async (port) => {
      const silent = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` }, 200);
      const away = { code: 'ERR_UNAVAILABLE', dependency: 'storage' };
      await expect(silent.get('x', 2000), what).rejects.toMatchObject(away);
      await expect(silent.start('x', 2000), what).rejects.toMatchObject(away);
    });
  });

  it.each([
    ['our key', `HTTP/1.1 403 Forbidden\r\n${denied}`],
    ['us, with a page of a proxy', `HTTP/1.1 403 Forbidden\r\n${html}`],
  ])('is not away when it refuses %s, nor is the message to blame', async (_what, answer) => {
    await withFaultyServer(answering(answer, 'and hang up'), async (port) => {
      const refusing = storageWith({ S3_ENDPOINT: `http://127.0.0.1:${port}` });
      for (const call of [() => refusing.get('x', 100), () => refusing.put('x', body, 'image/png')]) {
        const error: unknown = await call().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(WarrenError);
      }
    });
  });
});
