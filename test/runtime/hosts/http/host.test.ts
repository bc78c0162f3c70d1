import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Publisher } from '../../../../runtime/amqp/publisher.ts';
import { type Log, silentLog } from '../../../../runtime/base/log.ts';
import { HttpHost } from '../../../../runtime/hosts/http/host.ts';
import { readRoutes } from '../../../../runtime/hosts/http/routes.ts';
import type { HttpEvent } from '../../../../runtime/http/function.ts';
import { unique, withBroker } from '../../../support/broker.ts';
import { stack } from '../../../support/stack.ts';

const handlers = `
export const echo = async (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) });
export const plain = async () => ({ hello: 'world' });
export const binary = async () => ({ statusCode: 200, headers: { 'Content-Type': 'image/png', 'X-One': 1 }, cookies: ['a=1; Path=/', 'b=2'], body: Buffer.from([0, 255, 1]).toString('base64'), isBase64Encoded: true });
export const nothing = async () => ({ statusCode: 204 });
export const slow = async (event) => { await new Promise((done) => setTimeout(done, Number(event.queryStringParameters.ms))); return { statusCode: 200, body: 'slow' }; };
export const broken = async () => { throw new Error('a secret: hunter2'); };
export const named = async () => ({ statusCode: 200, body: process.env.WHO + ' ' + process.env.AWS_LAMBDA_FUNCTION_NAME });
`;
const routes: Record<string, [string, ...string[]]> = {
  echo: [
    'echo',
    'GET /echo',
    'POST /echo',
    'GET /things/{id}/of/{owner}',
    'GET /files/{path+}',
    'DELETE /echo',
  ],
  plain: ['plain', 'GET /plain'],
  binary: ['binary', 'GET /binary'],
  nothing: ['nothing', 'GET /nothing'],
  slow: ['slow', 'GET /slow'],
  broken: ['broken', 'GET /broken'],
  named: ['named', 'GET /named'],
};
const manifest = {
  functions: Object.fromEntries(
    Object.entries(routes).map(([name, [exported, ...events]]) => [
      name,
      {
        handler: `work.${exported}`,
        timeout: name === 'slow' ? 1 : 10,
        environment: { WHO: 'nobody' },
        events: events.map((httpApi) => ({ httpApi })),
      },
    ]),
  ),
};

/** The security headers that the functions' own problems have too. */
const secured = {
  'content-type': 'application/problem+json',
  'x-content-type-options': 'nosniff',
  'strict-transport-security': 'max-age=15552000; includeSubDomains; preload',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

describe('the host of HTTP functions', () => {
  let folder: string;
  const hosts: HttpHost[] = [];
  const lines: { line: Record<string, unknown>; text: string }[] = [];
  const note = (line: unknown, text: unknown) =>
    void lines.push({ line: line as Record<string, unknown>, text: String(text) });
  const log: Log = { ...silentLog, info: note, error: note } as unknown as Log;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-host-'));
    await writeFile(join(folder, 'work.mjs'), handlers);
  });
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.stop({ deadlineMs: 5000 })));
    lines.splice(0);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const start = async (settings: { bodyLimit?: number; trustProxy?: string[] } = {}) => {
    const host = new HttpHost({
      manifest,
      folder,
      log,
      env: process.env,
      host: '127.0.0.1',
      port: 0,
      ...settings,
      probes: { host: '127.0.0.1', port: 0 },
    });
    await host.start();
    hosts.push(host);
    const at = (path: string) => `http://127.0.0.1:${host.port}${path}`;
    const probe = async (path: string) => fetch(`http://127.0.0.1:${host.probesPort}${path}`);
    const event = async (path: string, init: RequestInit = {}) =>
      (await (await fetch(at(path), init)).json()) as HttpEvent;
    return { host, at, probe, event };
  };

  it('the function gets the event of an HTTP API, payload format 2.0', async () => {
    const { event } = await start();
    const made = await event('/things/a%20b/of/7?x=1&y=two%20words&x=3', {
      headers: { 'X-Custom': 'Yes', cookie: 'a=1; b=2', 'user-agent': 'test' },
    });
    expect(made).toMatchObject({
      version: '2.0',
      routeKey: 'GET /things/{id}/of/{owner}',
      rawPath: '/things/a%20b/of/7',
      rawQueryString: 'x=1&y=two%20words&x=3',
      queryStringParameters: { x: '1,3', y: 'two words' },
      pathParameters: { id: 'a b', owner: '7' },
      cookies: ['a=1', 'b=2'],
      headers: { 'x-custom': 'Yes' },
      isBase64Encoded: false,
      requestContext: {
        http: { method: 'GET', path: '/things/a%20b/of/7', sourceIp: '127.0.0.1', userAgent: 'test' },
        routeKey: 'GET /things/{id}/of/{owner}',
        stage: '$default',
        time: expect.stringMatching(/^\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
      },
    });
    expect(made).not.toHaveProperty('body');
    expect((await event('/files/a/b.txt')).pathParameters).toEqual({ path: 'a/b.txt' });
    expect(await event('/echo')).not.toHaveProperty('queryStringParameters');
  });

  it('a body is text in the event if its media type is, else base64', async () => {
    const { event } = await start();
    const post = (body: NonNullable<RequestInit['body']>, type?: string) =>
      event('/echo', {
        method: 'POST',
        body,
        ...(type !== undefined && { headers: { 'content-type': type } }),
      });
    expect(await post('{"ü": 1}', 'application/json')).toMatchObject({
      body: '{"ü": 1}',
      isBase64Encoded: false,
    });
    expect(await post('{}', 'application/problem+json')).toMatchObject({ isBase64Encoded: false });
    const bytes = Buffer.from([0, 1, 254, 255]);
    // The header specifies text, but the body is not UTF-8.
    expect(await post(bytes, 'application/json')).toMatchObject({
      body: bytes.toString('base64'),
      isBase64Encoded: true,
    });
    expect(await post(bytes, 'image/png')).toMatchObject({
      body: bytes.toString('base64'),
      isBase64Encoded: true,
    });
    const form = new FormData();
    form.append('file', new Blob([bytes]), 'x.bin');
    const multipart = await post(form);
    expect(multipart.isBase64Encoded).toBe(true);
    expect(Buffer.from(multipart.body ?? '', 'base64').includes(bytes)).toBe(true);
    expect(await event('/echo', { method: 'DELETE' })).toMatchObject({ routeKey: 'DELETE /echo' });
  });

  it("the answer is the function's result", async () => {
    const { at } = await start();
    const plain = await fetch(at('/plain'));
    expect([plain.status, plain.headers.get('content-type'), await plain.text()]).toEqual([
      200,
      'application/json',
      '{"hello":"world"}',
    ]);
    const binary = await fetch(at('/binary'));
    expect(Buffer.from(await binary.arrayBuffer())).toEqual(Buffer.from([0, 255, 1]));
    expect(binary.headers.get('content-type')).toBe('image/png');
    expect(binary.headers.get('x-one')).toBe('1');
    expect(binary.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2']);
    const nothing = await fetch(at('/nothing'));
    expect([nothing.status, nothing.headers.get('content-type'), await nothing.text()]).toEqual([
      204,
      null,
      '',
    ]);
    expect(await (await fetch(at('/named'))).text()).toBe('nobody named');
  });

  it("the host's own errors are problems without any internal detail", async () => {
    const { at } = await start({ bodyLimit: 1000 });
    const problem = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(at(path), init);
      expect(Object.fromEntries(response.headers)).toMatchObject(secured);
      return (await response.json()) as Record<string, unknown>;
    };
    expect(await problem('/nowhere')).toMatchObject({ status: 404, title: 'No such route' });
    expect(await problem('/echo', { method: 'PUT', body: 'x' })).toMatchObject({ status: 404 });
    expect(await problem('/things/%zz/of/1')).toMatchObject({ status: 400 });
    expect(await problem('/echo', { method: 'POST', body: 'x'.repeat(1001) })).toMatchObject({ status: 413 });
    // Far more than fits into the sockets' buffers: the client must be able to send all of it.
    const huge = Buffer.alloc(30_000_000);
    expect(await problem('/echo', { method: 'POST', body: huge })).toMatchObject({ status: 413 });
    expect(await problem('/slow?ms=1500')).toMatchObject({ status: 504, title: 'No answer in time' });
    const broken = await problem('/broken');
    expect(broken).toEqual({ type: 'about:blank', status: 500, title: 'Internal Server Error' });
    expect(
      lines.some(({ line }) => String((line['err'] as Error | undefined)?.message).includes('hunter2')),
    ).toBe(true);
  });

  it("the host adds no headers to a function's answer", async () => {
    const { at } = await start();
    const { headers } = await fetch(at('/plain'));
    expect(Object.keys(Object.fromEntries(headers)).sort()).toEqual(
      ['connection', 'content-length', 'content-type', 'date', 'keep-alive'].sort(),
    );
  });

  it('the log has a line for each request, without its query', async () => {
    const { at } = await start();
    await (await fetch(at('/plain?token=secret'))).text();
    await expect.poll(() => lines.filter(({ text }) => text === 'request')).toHaveLength(1);
    const [{ line } = { line: {} }] = lines.filter(({ text }) => text === 'request');
    expect(line).toMatchObject({ method: 'GET', path: '/plain', status: 200, ip: '127.0.0.1' });
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it('X-Forwarded-For is trusted only from configured proxies', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    const ip = async (trustProxy?: string[]) => {
      const { event } = await start(trustProxy && { trustProxy });
      return (await event('/echo', { headers })).requestContext.http.sourceIp;
    };
    expect(await ip()).toBe('127.0.0.1');
    expect(await ip(['127.0.0.0/8'])).toBe('203.0.113.7');
    expect(await ip(['10.0.0.0/8'])).toBe('127.0.0.1');
  });

  it('probes and metrics are served', async () => {
    const { at, probe } = await start();
    await (await fetch(at('/things/1/of/2'))).text();
    expect((await probe('/healthz')).status).toBe(200);
    expect((await probe('/readyz')).status).toBe(200);
    const metrics = async () => (await probe('/metrics')).text();
    const labels = 'method="GET",route="/things/:id/of/:owner",status="200"';
    await expect.poll(metrics).toContain(`warren_http_request_duration_seconds_count{${labels}} 1`);
    expect((await fetch(at('/metrics'))).status).toBe(404);
  });

  it('metrics include the publishes of the process by outcome, and its connections', async () => {
    await withBroker(async (broker) => {
      const publisher = new Publisher({ url: stack.AMQP_URL, name: unique('publisher') });
      try {
        const { probe } = await start();
        await publisher.publish({ exchange: '', routingKey: await broker.queue(), body: 1 });
        await publisher
          .publish({ exchange: '', routingKey: unique('nowhere'), body: 1 })
          .catch(() => undefined);
        const metrics = await (await probe('/metrics')).text();
        expect(metrics).toContain('warren_published_messages_total{outcome="confirmed"} 1\n');
        expect(metrics).toContain('warren_published_messages_total{outcome="returned"} 1\n');
        expect(metrics).toContain('warren_publish_duration_seconds_count 2\n');
        expect(metrics).toMatch(/^warren_connections_opened_total [1-9]/m);
      } finally {
        await publisher.close();
      }
    });
  });

  it('stop answers requests in flight, takes no new connection, and returns true', async () => {
    const { host, at, probe } = await start();
    const slow = fetch(at('/slow?ms=600'));
    await underWay(at);
    const stopped = host.stop({ deadlineMs: 5000 });
    expect((await probe('/readyz')).status).toBe(503);
    await expect
      .poll(() =>
        fetch(at('/plain')).then(
          () => 'answered',
          () => 'refused',
        ),
      )
      .toBe('refused');
    expect(await (await slow).text()).toBe('slow');
    expect(await stopped).toBe(true);
  });

  it('stop waits for a call whose client has disconnected', async () => {
    const { host, at } = await start();
    const client = httpRequest(at('/slow?ms=700'));
    client.on('error', () => undefined);
    client.end();
    await underWay(at);
    client.destroy();
    const startedAt = performance.now();
    expect(await host.stop({ deadlineMs: 5000 })).toBe(true);
    expect(performance.now() - startedAt).toBeGreaterThan(200);
  });

  it('stop returns false if a call is still in flight at the deadline', async () => {
    const { host, at } = await start();
    const slow = fetch(at('/slow?ms=900')).catch(() => 'cut');
    await underWay(at);
    expect(await host.stop({ deadlineMs: 50 })).toBe(false);
    expect(await slow).toBe('cut');
  });

  it('the host does not start with malformed or duplicate routes, or a missing handler', async () => {
    const events = (...httpApi: unknown[]) => ({ events: httpApi.map((each) => ({ httpApi: each })) });
    expect(() => readRoutes({ one: events('GET echo'), two: events('FETCH /x') })).toThrow(
      /one: httpApi[\s\S]*two: httpApi/,
    );
    expect(() => readRoutes({ one: events('GET /x'), two: events({ method: 'get', path: '/x' }) })).toThrow(
      '"GET /x"',
    );
    expect(readRoutes({ one: events('*', 'ANY /y') }).map(({ routeKey }) => routeKey)).toEqual([
      '$default',
      'ANY /y',
    ]);
    const functions = { gone: { handler: 'work.gone', ...events('GET /gone') } };
    const host = () =>
      new HttpHost({
        manifest: { functions },
        folder,
        log,
        env: process.env,
        host: '127.0.0.1',
        port: 0,
      });
    await expect(host().start()).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });
});

/** Waits for the answer to a later request: the earlier request has been accepted by then. */
async function underWay(at: (path: string) => string): Promise<void> {
  await pause(50);
  await (await fetch(at('/nothing'))).text();
}
