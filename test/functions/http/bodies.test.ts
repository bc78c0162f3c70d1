import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { httpEvent } from 'warren/testing';
import { projectDir } from '../../../dev/stack/project.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { HttpHost } from '../../../runtime/hosts/http/host.ts';
import { bearer, uniqueId } from '../../support/deps.ts';
import { context } from '../../support/events.ts';
import { httpFunctions, type ImportedRoute, importRoutes } from '../../support/routes.ts';
import { stack } from '../../support/stack.ts';
import { utf16, utf32 } from '../../support/utf16.ts';

/** Bodies on both ways to a handler: over a connection to the HTTP host, and in the event of a gateway. */
let host: HttpHost;
let routes: Awaited<ReturnType<typeof importRoutes>>;
let authorization: string;

beforeAll(async () => {
  for (const [name, value] of Object.entries({ ...stack, LOG_LEVEL: 'silent' })) vi.stubEnv(name, value);
  // Uses the environment of this run instead of the one in serverless.yml.
  const functions = Object.fromEntries(
    Object.entries(httpFunctions).map(([name, { handler, events }]) => [
      name,
      { handler, events, timeout: 30 },
    ]),
  );
  const settings = { manifest: { functions }, folder: projectDir, env: process.env, log: silentLog };
  host = new HttpHost({ ...settings, host: '127.0.0.1', port: 0 });
  await host.start();
  routes = await importRoutes();
  authorization = await bearer(uniqueId());
}, 60_000);
afterAll(async () => {
  await host.stop({ deadlineMs: 5000 });
  vi.unstubAllEnvs();
});

interface Sent {
  route: string;
  body: Buffer;
  headers: Record<string, string>;
}
interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

const overHttp = async ({ route, body, headers }: Sent): Promise<Answer> => {
  const [method = '', path = ''] = route.split(' ');
  const init = { method, body: new Uint8Array(body), headers: { authorization, ...headers } };
  const response = await fetch(`http://127.0.0.1:${host.port}${path}`, init);
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.text(),
  };
};
const toHandler = async ({ route, body, headers }: Sent): Promise<Answer> => {
  const { handler, method, path } = routes.get(route) as ImportedRoute;
  const event = httpEvent({ method, path, authorization, body, headers });
  const { statusCode = 0, headers: given = {}, body: text = '' } = await handler(event, context);
  const names = Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { status: statusCode, headers: Object.fromEntries(names), text };
};
const ways: [string, (sent: Sent) => Promise<Answer>][] = [
  ['over HTTP', overHttp],
  ['to the handler', toHandler],
];

function expectDecent({ status, headers, text }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(500);
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
  if (status < 400) return;
  expect(headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(text)).toMatchObject({ status });
}

describe.each(ways)('a body that comes %s', (_way, ask) => {
  const alert = JSON.stringify({ routing_key: 'info.test', message: 'Grüße' });

  it.each<[string, Buffer, Record<string, string>, number]>([
    ['is JSON', Buffer.from(alert), { 'content-type': 'application/json; charset=utf-8' }, 202],
    [
      'is compressed, and says so',
      gzipSync(alert),
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      400,
    ],
    [
      'says that it is compressed, and is not',
      Buffer.from(alert),
      { 'content-type': 'application/json', 'content-encoding': 'br' },
      202,
    ],
    ['is UTF-16', Buffer.from(alert, 'utf16le'), { 'content-type': 'application/json; charset=utf-16' }, 202],
    [
      'is UTF-16 of Java',
      Buffer.from(alert, 'utf16le').swap16(),
      { 'content-type': 'application/json' },
      202,
    ],
    ['is UTF-16 behind its mark', utf16(alert, 'le'), { 'content-type': 'application/json' }, 202],
    ['is UTF-16 of Java behind its mark', utf16(alert, 'be'), { 'content-type': 'text/json' }, 202],
    ['is half of UTF-16', utf16(alert, 'le').subarray(0, -1), { 'content-type': 'application/json' }, 400],
    ['is UTF-32', utf32(alert), { 'content-type': 'application/json' }, 400],
    ['is Latin-1', Buffer.from(alert, 'latin1'), { 'content-type': 'application/json; charset=latin1' }, 400],
    ['has no type', Buffer.from(alert), { 'content-type': 'application/octet-stream' }, 415],
    ['is nothing', Buffer.alloc(0), { 'content-type': 'application/json' }, 400],
  ])('and %s gets the expected status, without internal details', async (_what, body, headers, status) => {
    const answer = await ask({ route: 'POST /alerts', body, headers });
    expectDecent(answer);
    expect(answer.status).toBe(status);
  });
});

describe.each(ways)('a form that comes %s', (_way, ask) => {
  const part = fc.record({
    name: fc.oneof(fc.constantFrom('picture', 'other', '', '__proto__'), fc.string({ maxLength: 300 })),
    file: fc.boolean(),
    headers: fc.array(fc.integer({ min: 1, max: 4000 }), { maxLength: 40 }),
    length: fc.integer({ min: 0, max: 3000 }),
  });
  type Part = typeof part extends fc.Arbitrary<infer Made> ? Made : never;
  const written = (parts: readonly Part[]) =>
    Buffer.from(
      `${parts
        .map(({ name, file, headers, length }) => {
          const more = headers.map((long, n) => `x-${n}-${'h'.repeat(long)}: 1\r\n`).join('');
          const filename = file ? '; filename="x.jpg"' : '';
          const head = `content-disposition: form-data; name="${name.replace(/["\r\n]/g, '_')}"${filename}\r\n${more}`;
          return `--b\r\n${head}\r\n${'x'.repeat(length)}\r\n`;
        })
        .join('')}--b--\r\n`,
    );
  const send = (body: Buffer) =>
    ask({ route: 'POST /pictures', body, headers: { 'content-type': 'multipart/form-data; boundary=b' } });
  const plain = { name: 'picture', file: true, headers: [], length: 10 };

  it.each<[string, Part[]]>([
    ['more parts than are read', Array.from({ length: 60 }, () => plain)],
    ['more fields than are read', Array.from({ length: 60 }, () => ({ ...plain, file: false }))],
    ['a field longer than is read', [{ ...plain, file: false, length: 200_000 }, plain]],
    ['more headers than are read', [{ ...plain, headers: Array<number>(200).fill(5) }]],
    ['a header longer than any', [{ ...plain, headers: [200_000] }]],
    ['a name longer than any', [{ ...plain, name: 'n'.repeat(200_000) }]],
    ['no part', []],
  ])('with %s is refused as a fault of the client', async (_what, parts) => {
    const answer = await send(written(parts));
    expectDecent(answer);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  it('gets an answer without internal details for any parts, also if it is cut off anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (parts, share) => {
          const whole = written(parts);
          expectDecent(await send(whole));
          expectDecent(await send(whole.subarray(0, Math.floor(whole.length * share))));
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});
