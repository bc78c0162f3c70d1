import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { createStorage } from '../../shared/storage.ts';
import { stack } from '../stack.ts';

const storageWith = (given: Record<string, string> = {}) =>
  createStorage(readConfig(['storage'], { ...stack, ...given }).storage);

describe('the storage', () => {
  const storage = storageWith();
  const body = Buffer.from([0, 1, 2, 253, 254, 255]);

  it('gives back what was put, byte for byte', async () => {
    const key = `test/${randomUUID()} with spaces & ümlauts`;
    await storage.put(key, body, 'image/png');
    expect(await storage.get(key, 100)).toEqual({ body, contentType: 'image/png' });
  });

  it('says where there is nothing', async () => {
    expect(await storage.get(`test/${randomUUID()}`, 100)).toBeUndefined();
  });

  it('refuses to read more than asked for', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/png');
    await expect(storage.get(key, 5)).rejects.toMatchObject({ code: 'ERR_REJECTED' });
    expect((await storage.get(key, 6))?.body).toHaveLength(6);
  });

  it('makes links that anyone can follow, the same ones within the hour', async () => {
    const key = `test/${randomUUID()}`;
    await storage.put(key, body, 'image/webp');
    const url = await storage.url(key);
    const response = await fetch(url);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
    const signedAt = (text: string) => new URL(text).searchParams.get('X-Amz-Date');
    expect(signedAt(url)).toMatch(/T\d\d0000Z$/);
    const again = await storage.url(key);
    // Unless an hour has just begun.
    expect(signedAt(again) === signedAt(url) ? again : url).toBe(url);
    expect(Number(new URL(url).searchParams.get('X-Amz-Expires'))).toBeGreaterThanOrEqual(3600);
  });

  it('makes links below the public address where there is one', async () => {
    const links = storageWith({ S3_PUBLIC_URL: 'https://pictures.example.com/base/' });
    expect(await links.url('pictures/1/a-160.webp')).toBe(
      'https://pictures.example.com/base/pictures/1/a-160.webp',
    );
  });

  it('says that it is away when it can not be reached, or has no such bucket', async () => {
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
});
