import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { Board } from '../../../runtime/board/board.ts';
import { readPage } from '../../../runtime/board/page-files.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

let vhost: TestVhost;
let board: Board;
let folder: string;
let base: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-board-page-test-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Board</title>');
  await writeFile(join(folder, 'assets', 'board-ABCD1234.js'), `// ${'x'.repeat(5000)}`);
  await writeFile(join(folder, 'licenses.txt'), 'MIT');
  vhost = await openVhost({ deadLetterIndex: true, queues: { shop: {} } });
  board = new Board({ url: vhost.url, port: 0, page: await readPage(folder), log: silentLog });
  await board.start();
  base = `http://127.0.0.1:${board.port}`;
});
afterAll(async () => {
  await board?.stop();
  await vhost?.close();
  await rm(folder, { recursive: true });
});

describe('the page of the board', () => {
  it('page: it is served with a policy that allows no inline script, no frame and no other host', async () => {
    const response = await fetch(`${base}/`);
    expect([response.status, await response.text()]).toEqual([200, '<!doctype html><title>Board</title>']);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')?.split('; ')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data: blob:",
      "font-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-cache');
  });

  it('page: assets with a hash in their names are kept by the browser, and are compressed', async () => {
    const script = await fetch(`${base}/assets/board-ABCD1234.js`);
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect(script.headers.get('content-encoding')).toBe('gzip');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect((await script.text()).length).toBe(5003);
    expect((await fetch(`${base}/licenses.txt`)).headers.get('cache-control')).toBe('no-cache');
  });

  it('page: files outside of its folder are not served', async () => {
    for (const path of ['/assets/../../etc/passwd', '/assets/%2e%2e/%2e%2e/etc/passwd', '/assets/none.js'])
      expect((await fetch(`${base}${path}`)).status).toBe(404);
  });

  it('page: the session names the user of this machine, the broker without credentials, and the queue', async () => {
    const session = await (await fetch(`${base}/api/session`)).json();
    expect(session).toMatchObject({ role: 'operator', sign_in: null, vhost: vhost.name });
    const { host } = new URL(vhost.url);
    expect(session).toMatchObject({ broker: expect.stringMatching(`^RabbitMQ [\\d.]+ at ${host}$`) });
    expect(session).toHaveProperty('sources', [
      { queue: 'warren.dead-letters', kind: 'index', total: 0, problem: null },
    ]);
  });
});
