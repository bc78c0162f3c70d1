import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../../dev/stack/project.ts';
import { silentLog } from '../../../../runtime/base/log.ts';
import { HttpHost, type HttpHostOptions } from '../../../../runtime/hosts/http/host.ts';
import { memoryLimits } from '../../../../runtime/hosts/http/memory-limits.ts';
import { UnreadAnswers } from '../../../../runtime/hosts/http/unread-answers.ts';
import type { HttpEvent } from '../../../../runtime/http/function.ts';

const handlers = `
const held = [];
export const echo = async (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) });
export const hold = () => new Promise((done) => held.push(() => done({ statusCode: 200 })));
export const count = async () => ({ statusCode: 200, body: String(held.length) });
export const release = async () => { for (const end of held.splice(0)) end(); return { statusCode: 204 }; };
export const answer = async (event) => JSON.parse(event.body);
export const large = async ({ pathParameters: { bytes } }) => ({ statusCode: 200, body: 'x'.repeat(Number(bytes)) });
`;
const routes = {
  echo: ['GET /echo', 'GET /files/{path+}', 'POST /echo'],
  hold: ['POST /hold'],
  count: ['GET /count'],
  release: ['POST /release'],
  answer: ['POST /answer'],
  large: ['GET /large/{bytes}'],
};
const manifest = {
  functions: Object.fromEntries(
    Object.entries(routes).map(([name, events]) => [
      name,
      { handler: `work.${name}`, timeout: 10, events: events.map((httpApi) => ({ httpApi })) },
    ]),
  ),
};

const sockets: Socket[] = [];

/** Requests that any client may send. */
describe('the host of HTTP functions, with hostile clients,', () => {
  let folder: string;
  const hosts: HttpHost[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-intake-'));
    await writeFile(join(folder, 'work.mjs'), handlers);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(hosts.splice(0).map((host) => host.stop({ deadlineMs: 5000 })));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const start = async (settings: Partial<HttpHostOptions> = {}) => {
    const host = new HttpHost({
      manifest,
      folder,
      log: silentLog,
      env: process.env,
      host: '127.0.0.1',
      port: 0,
      ...settings,
    });
    await host.start();
    hosts.push(host);
    return {
      at: (path: string) => `http://127.0.0.1:${host.port}${path}`,
      raw: (text: string) => exchange(host.port ?? 0, text),
      open: (text: string) => unread(host.port ?? 0, text),
    };
  };
  /** Parses the problem that was sent on a raw connection. */
  const refused = (text: string) => {
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toContain('content-type: application/problem+json');
    for (const header of [
      'X-Content-Type-Options: nosniff',
      'Strict-Transport-Security: max-age=15552000; includeSubDomains; preload',
      "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
    ]) {
      expect(head.split('\r\n')).toContain(header);
    }
    return { status: Number(head.split(' ')[1]), body: JSON.parse(body) as unknown };
  };

  it('headers that are too large and bytes that are not HTTP are refused', async () => {
    const { raw } = await start();
    const large = await raw(`GET /echo HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(refused(large)).toEqual({
      status: 431,
      body: { type: 'about:blank', status: 431, title: 'Request Header Fields Too Large' },
    });
    expect(refused(await raw('NONSENSE\r\n\r\n')).status).toBe(400);
    expect(await raw('GET /echo HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
    const twice =
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(refused(await raw(twice)).status).toBe(400);
  });

  it('a request that is sent too slowly or never begins is ended', async () => {
    const { raw } = await start({ requestTimeoutMs: 300 });
    const body = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this';
    const texts = await Promise.all([raw('GET /echo HTTP/1.1\r\nHost: a\r\nX-'), raw(body)]);
    for (const text of texts) expect(refused(text).status).toBe(408);
    expect(await raw('')).toMatch(/^$|^HTTP\/1.1 408/);
  });

  it.each([
    [1, 512 * 1024 ** 2, 53_687_091, 2684],
    [2, 512 * 1024 ** 2, 26_843_545, 1342],
    [1, 16 * 1024 ** 3, 100_000_000, 10_000],
    [1, 2 ** 64, 100_000_000, 10_000],
  ])(
    '%d processes in a container with %d bytes of memory each take bodies of at most %d bytes and %d connections by default',
    (processes, memory, bytes, connections) => {
      expect(memoryLimits(processes, memory)).toEqual({ intake: bytes, unread: bytes, connections });
    },
  );

  it('the bodies in memory stay below the limit, even if their clients disconnect', async () => {
    const { at } = await start({ bodyLimit: 1000, intakeLimit: 1500 });
    const post = (path: string, body = 'x'.repeat(900)) => fetch(at(path), { method: 'POST', body });
    const gone = httpRequest(at('/hold'), { method: 'POST' });
    gone.on('error', () => undefined);
    gone.end('x'.repeat(900));
    await expect.poll(async () => (await fetch(at('/count'))).text()).toBe('1');
    gone.destroy();
    const full = await post('/echo');
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '1']);
    expect(full.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await full.json()).toMatchObject({ title: 'Too much at once' });
    // A request without a body is answered.
    expect((await fetch(at('/echo'))).status).toBe(200);
    expect((await post('/release', '')).status).toBe(204);
    await expect.poll(async () => (await post('/echo')).status).toBe(200);
  });

  it('a body that cannot arrive in time at its pace is cut off if another one needs its memory', async () => {
    const { at, open } = await start({ bodyLimit: 1000, intakeLimit: 1500, requestTimeoutMs: 6000 });
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n';
    const slow = open(`${head}only this`);
    const post = async () => (await fetch(at('/echo'), { method: 'POST', body: 'x'.repeat(900) })).status;
    await expect.poll(post).toBe(503);
    await expect.poll(post, { timeout: 5000 }).toBe(200);
    expect(await bytesOf(slow)).toBe(0);
  });

  it('a body of unknown length is not cut off while it arrives, but when it stays silent', async () => {
    const { at, open } = await start({ intakeLimit: 100_000, requestTimeoutMs: 6000 });
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    const post = async () => (await fetch(at('/echo'), { method: 'POST', body: 'x'.repeat(60_000) })).status;
    const steady = open(head);
    // At this pace, less than a quarter of the largest body would arrive in time.
    const sending = setInterval(() => steady.write(`64\r\n${'x'.repeat(100)}\r\n`), 50);
    await expect.poll(post).toBe(503);
    const begunAt = performance.now();
    while (performance.now() - begunAt < 2500) expect(await post()).toBe(503);
    clearInterval(sending);
    steady.write('0\r\n\r\n');
    const [answer] = (await once(steady, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 200/);
    const silent = open(head);
    await expect.poll(post).toBe(503);
    await expect.poll(post, { timeout: 5000 }).toBe(200);
    expect(await bytesOf(silent)).toBe(0);
  });

  it('an answer above the limit, by default that of Lambda, is the error 500 with the reason, and the next is sent', async () => {
    const { at } = await start();
    const tooLarge = await fetch(at('/large/20000000'));
    expect(tooLarge.status).toBe(500);
    expect(await tooLarge.json()).toMatchObject({
      title: 'The answer is too large',
      detail: 'body: expected at most 6000000 bytes, got 20000000',
    });
    expect(await (await fetch(at('/large/6000000'))).text()).toHaveLength(6_000_000);
    const other = await start({ answerLimit: 99 });
    expect((await fetch(other.at('/large/99'))).status).toBe(200);
    expect((await fetch(other.at('/large/100'))).status).toBe(500);
  });

  it('an answer to a client that has gone does not count as unread', async () => {
    const unread = new UnreadAnswers(10);
    const server = createServer();
    const arrived = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [, gone] = await arrived;
    client.destroy();
    await once(gone, 'close');
    expect(unread.add(gone, 9)).toBe(0);
    const open = new ServerResponse(new IncomingMessage(client));
    // Without room for it, the answer before it would be closed.
    expect(unread.add(open, 9)).toBe(0);
    server.close();
  });

  it('answers that are not read stay below a limit: the connection that has waited longest is closed', async () => {
    const { at, open } = await start({ unreadLimit: 20_000_000 });
    const slow: Socket[] = [];
    for (let n = 0; n < 4; n += 1) {
      // More than the buffers of both sockets hold.
      slow.push(open('GET /large/6000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
      await once(slow[n] as Socket, 'readable');
    }
    // A client that reads is not affected.
    expect(await (await fetch(at('/large/6000000'))).text()).toHaveLength(6_000_000);
    const whole = await Promise.all(slow.map(async (socket) => (await bytesOf(socket)) > 6_000_000));
    expect(whole).toEqual([false, false, true, true]);
  });

  it('connections above the limit are closed at once, and others are taken when one has ended', async () => {
    const { at, open, raw } = await start({ connectionLimit: 2 });
    const text = 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n';
    const [first, second] = [open(text), open(text)];
    await Promise.all([once(first, 'readable'), once(second, 'readable')]);
    expect(await raw(text)).toBe('');
    first.destroy();
    await expect.poll(async () => (await fetch(at('/echo')).catch(() => undefined))?.status).toBe(200);
  });

  it('connections above the limit are closed at once in a cluster too', async () => {
    const program = projectFile('test/support/limited-cluster.ts');
    const first = fork(program, { execArgv: ['--import', 'tsx'] });
    try {
      const [port] = (await once(first, 'message')) as [number];
      const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
      const [one, two] = [unread(port, text), unread(port, text)];
      await Promise.all([once(one, 'readable'), once(two, 'readable')]);
      expect(await exchange(port, text)).toBe('');
      one.destroy();
      const ended = text.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
      await expect.poll(() => exchange(port, ended)).toContain('answer');
    } finally {
      first.disconnect();
      await once(first, 'exit');
    }
  });

  it('the function gets unusual paths, cookies and headers as on AWS', async () => {
    const { raw } = await start();
    const ask = async (path: string, ...headers: string[]) => {
      const text = await raw(
        [`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: close', ...headers, '', ''].join('\r\n'),
      );
      return JSON.parse(text.split('\r\n\r\n')[1] ?? '') as HttpEvent;
    };
    const path = '/files//other/../%2e%2e/x';
    expect(await ask(`${path}?a=1?2&__proto__=3`)).toMatchObject({
      rawPath: path,
      rawQueryString: 'a=1?2&__proto__=3',
      pathParameters: { path: '/other/../../x' },
    });
    const event = await ask('/echo', 'Cookie: a=1', 'Cookie: b=2', 'X-Many: 1', 'X-Many: 2', '__proto__: 1');
    expect(event.cookies).toEqual(['a=1', 'b=2']);
    expect(event.headers).not.toHaveProperty('cookie');
    expect(event.headers['x-many']).toBe('1, 2');
  });

  it('the host answers 500 and continues if the answer of a function is not valid HTTP', async () => {
    const { at } = await start();
    const answer = (result: unknown) =>
      fetch(at('/answer'), {
        method: 'POST',
        body: JSON.stringify(result),
        headers: { 'content-type': 'text/plain' },
      });
    for (const result of [
      { statusCode: 'fine' },
      { statusCode: 101 },
      { statusCode: 200, headers: { location: '/a\r\nset-cookie: stolen=1' } },
      { statusCode: 200, headers: { 'a b': '1' } },
      { statusCode: 200, cookies: ['a=1\r\n\r\n<script>'] },
    ]) {
      const response = await answer(result);
      expect(response.status, JSON.stringify(result)).toBe(500);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(response.headers.has('set-cookie')).toBe(false);
    }
    const headers = {
      'content-length': '1',
      'Transfer-Encoding': 'chunked',
      connection: 'upgrade',
      'x-one': '1',
    };
    const whole = await answer({ statusCode: 200, headers, body: 'whole' });
    expect([await whole.text(), whole.headers.get('x-one')]).toEqual(['whole', '1']);
    const bytes = await answer({ statusCode: 200, isBase64Encoded: true, body: '!not base64!' });
    expect(bytes.status).toBe(200);
  });
});

/** A connection that sends some bytes and does not read the answer. */
function unread(port: number, text: string): Socket {
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
  sockets.push(socket.on('error', () => undefined));
  return socket;
}

/** Reads the rest of a connection. */
async function bytesOf(socket: Socket): Promise<number> {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
  return socket.bytesRead;
}

/** The answer to some bytes, until the other side closes the connection. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}
