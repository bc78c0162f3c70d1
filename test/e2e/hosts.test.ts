import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectDir, projectFile } from '../../dev/stack/project.ts';
import { type System, startSystem } from '../support/system.ts';
import { utf16 } from '../support/utf16.ts';

/** Headers that depend on the host, not on the time or the connection. */
const compared = [
  'content-type',
  'cache-control',
  'etag',
  'www-authenticate',
  'content-security-policy',
  'link',
  'retry-after',
];

type Ask = [what: string, path: string, init?: () => Promise<RequestInit> | RequestInit];

const json = (body: unknown, type = 'application/json'): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': type },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const bytes = (body: Buffer): RequestInit => ({ ...json(''), body: new Uint8Array(body) });
const alert = JSON.stringify({ routing_key: 'critical.test', message: 'Grüße \u{1f600}' });
const form = async (bytes?: number): Promise<RequestInit> => {
  const picture = await readFile(projectFile('assets/demo.jpg'));
  const body = new FormData();
  const content = bytes === undefined ? picture : Buffer.concat([picture, Buffer.alloc(bytes)]);
  body.append('picture', new Blob([new Uint8Array(content)], { type: 'image/jpeg' }), 'demo.jpg');
  return { method: 'POST', body };
};

/** The same requests to `serverless offline` and to `warren serve`. */
describe('an HTTP function', () => {
  let system: System;
  let child: ChildProcess;
  let served: string;

  beforeAll(async () => {
    system = await startSystem();
    const args = [projectFile('dev/warren.mjs'), 'serve', '--port', '0', '--metrics-port', '0'];
    const env = { ...process.env, ...system.env, WARREN_DEV_SIGN_IN: 'true' };
    child = spawn(process.execPath, args, { cwd: projectDir, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: { msg: string; port: number }[] = [];
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
    const up = () => lines.find(({ msg }) => msg === 'serving');
    await vi.waitUntil(up, { timeout: 60_000 });
    served = `http://127.0.0.1:${up()?.port}`;
  }, 180_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await system?.remove();
  }, 60_000);

  it.each<Ask>([
    ['that tells of its health', '/health'],
    ['that takes an alert', '/alerts', () => json({ routing_key: 'critical.test', message: 'ü' })],
    [
      'that is given a key nobody listens for',
      '/alerts',
      () => json({ routing_key: 'none.none', message: 1 }),
    ],
    ['that takes an alert in UTF-16', '/alerts', () => bytes(utf16(alert, 'le'))],
    ['that takes an alert in UTF-16 without a mark', '/alerts', () => bytes(Buffer.from(alert, 'utf16le'))],
    ['that passes a call in UTF-16 on', '/rpc/ping', () => bytes(utf16('{"time":"Grüße"}', 'be'))],
    ['that is given bytes that are no text', '/alerts', () => bytes(Buffer.from([0x22, 0xff, 0x22]))],
    ['that is given half of a character', '/alerts', () => bytes(Buffer.from([0x22, 0xc3]))],
    ['that is given no JSON', '/alerts', () => json('{')],
    [
      'that is given another type',
      '/alerts',
      () => json('routing_key=1', 'application/x-www-form-urlencoded'),
    ],
    ['that is given another shape', '/alerts', () => json({ message: 1 })],
    ['that takes a picture', '/pictures', () => form()],
    ['that is given too large a picture', '/pictures', () => form(4 * 1024 * 1024 - 1_000_000)],
    ['that is given a form without a picture', '/pictures', () => ({ method: 'POST', body: new FormData() })],
    ['that lists', '/pictures?limit=1'],
    ['that is asked wrongly', '/pictures?limit=none'],
    ['that finds nothing', '/pictures/1'],
    ['that takes an escaped path', '/pictures/%31'],
    ['that is about somebody else', '/users/2/points'],
    ['that reads', '/users/1/friends'],
    ['with two parameters in its path', '/users/1/friends/4', () => ({ method: 'PUT' })],
    ['that calls a method', '/rpc/ping', () => json({ client_name: 'test', time: 1 })],
    ['that calls no method', '/rpc/nobody', () => json({})],
    ['that answers with a page', '/unsubscribe?token=wrong'],
    ['that answers with the page', '/'],
    ['that answers with a file', '/page/app.js'],
    ['that answers with no file', '/page/nothing.js'],
    ['that needs a token, and gets none', '/pictures', () => ({ headers: { authorization: '' } })],
    ['that signs in', '/session', () => json({ user_id: 1 })],
  ])('%s gives the same answer in both hosts', async (_what, path, init = () => ({})) => {
    const ask = async (base: string) => {
      const own = await init();
      const { pathname, search } = new URL(path, base);
      return system.http(`${base}${pathname}${search}`, own);
    };
    const [offline, ours] = [await ask(system.env.HTTP_URL), await ask(served)];
    expect(await essence(ours)).toEqual(await essence(offline));
  });

  it('that is not asked for again what the browser has, is not sent again by either', async () => {
    const first = await system.http(`${served}/page/app.js`);
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
    for (const base of [system.env.HTTP_URL, served]) {
      expect((await system.http(`${base}/page/app.js`, { headers })).status).toBe(304);
    }
  });
});

async function essence(response: Response) {
  const { status } = response;
  const headers = new Headers(response.headers);
  const text = await response.text();
  // serverless-offline gives a type to nothing, too.
  if (text === '') headers.delete('content-type');
  return {
    status,
    // serverless-offline names the charset of JSON, which has just one.
    headers: Object.fromEntries(
      compared.map((name) => [name, headers.get(name)?.replace(/(json); charset=utf-8$/, '$1')]),
    ),
    // Ids, times, tokens and signatures are others each time.
    body: text
      .replace(/[\w-]+\.[\w-]{20,}\.[\w-]+/g, '<token>')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
      .replace(/\b1\d{9}\b/g, '<id>')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'),
    location: headers.get('location')?.replace(/\d+$/, '<id>'),
  };
}
