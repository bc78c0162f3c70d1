import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import { HttpHost } from '../../../../runtime/hosts/http/host.ts';

const handlers = `
const size = async (event) => ({ statusCode: 200, body: String(Buffer.byteLength(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')) });
export const plain = (event) => size(event);
export const small = Object.assign((event) => size(event), { maxBytes: 10 });
export const large = Object.assign((event) => size(event), { maxBytes: () => Number(process.env.LARGE) });
export const huge = Object.assign((event) => size(event), { maxBytes: 1e9 });
`;

describe('the limit of each route for bodies', () => {
  let folder: string;
  let host: HttpHost;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-limits-'));
    await writeFile(join(folder, 'work.mjs'), handlers);
    const functions = Object.fromEntries(
      ['plain', 'small', 'large', 'huge'].map((name) => [
        name,
        { handler: `work.${name}`, environment: { LARGE: '200000' }, events: [{ httpApi: `POST /${name}` }] },
      ]),
    );
    host = new HttpHost({
      manifest: { functions },
      folder,
      env: process.env,
      log: silentLog,
      host: '127.0.0.1',
      port: 0,
      bodyLimit: 300_000,
    });
    await host.start();
  });
  afterAll(async () => {
    await host.stop({ deadlineMs: 5000 });
    await rm(folder, { recursive: true, force: true });
  });

  /** Sends bytes in chunks, with their number in the header only if `announced`, and returns the answer. */
  const post = async (path: string, bytes: number, announced: boolean) => {
    const headers = { 'content-type': 'text/plain', ...(announced && { 'content-length': bytes }) };
    const target = { host: '127.0.0.1', port: host.port, path, method: 'POST', headers };
    const request = httpRequest(target);
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    for (let sent = 0; sent < bytes; sent += 50_000)
      request.write(Buffer.alloc(Math.min(50_000, bytes - sent), 'x'));
    request.end();
    const [answer] = await answered;
    const text = (await answer.toArray()).join('');
    return { status: answer.statusCode, text };
  };

  it.each([
    ['/plain', 65_536],
    ['/small', 10],
    ['/large', 200_000],
    ['/huge', 300_000],
  ])('body limit: %s takes %i bytes, and refuses one more with 413, announced or not', async (path, most) => {
    for (const announced of [true, false]) {
      expect(await post(path, most, announced)).toEqual({ status: 200, text: String(most) });
      const { status, text } = await post(path, most + 1, announced);
      const got = announced ? most + 1 : 'more';
      expect([status, JSON.parse(text)]).toEqual([
        413,
        expect.objectContaining({ detail: `body: expected at most ${most} bytes, got ${got}` }),
      ]);
    }
  });

  it('body limit: an announced body that is too large is answered before it is sent', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': 4_400_000 };
    const target = { host: '127.0.0.1', port: host.port, path: '/small', method: 'POST', headers };
    const request = httpRequest(target);
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.flushHeaders();
    const [{ statusCode }] = await answered;
    expect(statusCode).toBe(413);
    request.on('error', () => undefined).destroy();
  });

  it('body limit: a request without a route gets 404 for a small body, and 413 for one above 64 KiB', async () => {
    expect(await post('/nowhere', 1000, true)).toMatchObject({ status: 404 });
    expect(await post('/nowhere', 65_537, true)).toMatchObject({ status: 413 });
  });
});
