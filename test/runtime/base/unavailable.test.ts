import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { isUnavailable } from '../../../runtime/base/unavailable.ts';

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const withFields = (fields: object): Error => Object.assign(new Error('failed'), fields);

describe('isUnavailable', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const listen = async (answer: (socket: Socket) => void): Promise<number> => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      answer(socket);
    });
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return (server.address() as AddressInfo).port;
  };

  const closedPort = async (): Promise<number> => {
    const port = await listen(() => undefined);
    await new Promise((done) => servers.pop()?.close(done));
    return port;
  };

  it('unavailable: fetch whose time limit ends counts', async () => {
    const port = await listen(() => undefined);
    const error = await errorOf(fetch(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(50) }));
    expect(error).toMatchObject({ name: 'TimeoutError' });
    expect(isUnavailable(error)).toBe(true);
  });

  it('unavailable: fetch whose peer ends the connection counts', async () => {
    const port = await listen((socket) => socket.once('data', () => socket.end()));
    const error = await errorOf(fetch(`http://127.0.0.1:${port}`));
    expect(error).toMatchObject({ cause: { code: 'UND_ERR_SOCKET' } });
    expect(isUnavailable(error)).toBe(true);
  });

  it('unavailable: fetch that nothing answers counts', async () => {
    expect(isUnavailable(await errorOf(fetch(`http://127.0.0.1:${await closedPort()}`)))).toBe(true);
  });

  it.each(['ends the connection', 'says nothing'])('unavailable: a database that %s counts', async (how) => {
    const port = await listen((socket) => void (how === 'ends the connection' && socket.destroy()));
    const url = `postgres://u:p@127.0.0.1:${port}/d`;
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 100 });
    const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 100 });
    for (const error of [await errorOf(client.connect()), await errorOf(pool.connect())]) {
      expect(error).toBeInstanceOf(Error);
      expect(isUnavailable(error), String(error)).toBe(true);
    }
    await pool.end();
  });

  it.each([
    [new UnavailableError('bank', 'closed')],
    [withFields({ code: 'UND_ERR_HEADERS_TIMEOUT' })],
    [withFields({ code: '57P01' })],
    [withFields({ code: '53300' })],
    [withFields({ code: '08006' })],
    [withFields({ code: '25006' })],
    [withFields({ code: '25P03' })],
    [withFields({ code: '25P04' })],
    [withFields({ code: '40001' })],
    [withFields({ code: '40003' })],
    [withFields({ code: '42501' })],
    [withFields({ code: '57014' })],
    [withFields({ code: 'XX001' })],
    [withFields({ code: 'XX002' })],
    [withFields({ code: 'P1010' })],
    [withFields({ code: '40P01' })],
    [withFields({ code: '55P03' })],
    [withFields({ code: 'EAUTH', responseCode: 535 })],
    [withFields({ code: 'ETLS' })],
    [withFields({ status: 503 })],
    [withFields({ statusCode: 429 })],
    [withFields({ response: { status: 502 } })],
    [withFields({ $metadata: { httpStatusCode: 500 } })],
    [withFields({ $metadata: { httpStatusCode: 400 }, $retryable: { throttling: true } })],
    [withFields({ name: 'ExpiredToken', $metadata: { httpStatusCode: 400 } })],
    [withFields({ name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } })],
    [withFields({ name: 'RequestTimeTooSkewed', $metadata: { httpStatusCode: 403 } })],
    [withFields({ name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } })],
    [withFields({ name: 'CredentialsProviderError' })],
    [withFields({ name: 'RequestTimeout', $metadata: { httpStatusCode: 400 } })],
    [withFields({ name: { text: 'Bad' }, message: ['no'], status: 503 })],
    [withFields({ response: { status: 408 } })],
    [withFields({ responseCode: 451 })],
    [new Error('wrapped', { cause: withFields({ code: 'ECONNRESET' }) })],
    [new AggregateError([new Error('a'), withFields({ code: 'ECONNREFUSED' })])],
  ])('unavailable: %o counts', (error) => {
    expect(isUnavailable(error)).toBe(true);
  });

  it.each([
    [new RejectedError('wrong')],
    [new Error('plain')],
    [new TypeError('x is undefined')],
    [withFields({ code: '23505' })],
    [withFields({ code: '42P01' })],
    [withFields({ code: 'XX000' })],
    [withFields({ code: '25001' })],
    [withFields({ code: 'ENOENT' })],
    [withFields({ status: 404 })],
    [withFields({ name: 'NoSuchKey', $metadata: { httpStatusCode: 404 } })],
    [withFields({ name: 'ConditionalCheckFailedException', $metadata: { httpStatusCode: 400 } })],
    [withFields({ responseCode: 550 })],
    ['text'],
  ])('unavailable: %o is the fault of the message or of the program', (error) => {
    expect(isUnavailable(error)).toBe(false);
  });

  it.each([
    withFields({ name: { text: 'Bad' }, message: ['no'], code: { n: 1 }, stack: 7, status: '503' }),
    withFields({ name: undefined, message: null, response: 'gone', meta: 'gone', $metadata: 1 }),
    Object.assign(new AggregateError([]), { name: 5, errors: { email: ['is taken'] } }),
  ])(
    'an error whose fields have other types than usual is read, and is no unavailable dependency (case %#)',
    (error) => {
      expect(isUnavailable(error)).toBe(false);
    },
  );

  it('causes that form a circle are read once', () => {
    const error = new Error('outer');
    error.cause = new AggregateError([error], 'inner', { cause: error });
    expect(isUnavailable(error)).toBe(false);
    error.cause = new AggregateError([error, withFields({ code: 'ECONNREFUSED' })], 'inner', {
      cause: error,
    });
    expect(isUnavailable(error)).toBe(true);
  });
});
