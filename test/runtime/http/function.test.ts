import { describe, expect, it } from 'vitest';
import { httpEvent, lambdaContext } from 'warren/testing';
import { RetryLaterError, UnavailableError } from '../../../runtime/base/errors.ts';
import { type HttpReply, httpFunction, json, publicFunction } from '../../../runtime/http/function.ts';
import { Problem, problemBody, toProblem } from '../../../runtime/http/problem.ts';
import { errorLines } from '../../support/error-lines.ts';
import { context } from '../../support/events.ts';

const user = { id: 7, scopes: new Set<string>() };
const authenticate = async () => user;
const failing = (error: unknown) => publicFunction({}, () => Promise.reject(error));
const bodyOf = ({ body = '' }: { body?: string | undefined }) => JSON.parse(body) as unknown;

describe('a function for a route', () => {
  it('hands the request and its user to the handler, and gives what that answers', async () => {
    const event = httpEvent({ authorization: 'Bearer x' });
    const seen: unknown[] = [];
    const handler = httpFunction({ authenticate }, async (request) => {
      seen.push(request);
      return json(201, { a: 1 }, { location: '/a/1' });
    });
    const reply = await handler(event, context);
    expect(seen).toEqual([{ event, user }]);
    expect(reply).toMatchObject({ statusCode: 201, body: '{"a":1}' });
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', location: '/a/1' });
  });

  it('asks for the header as it came and the scope of the route, and calls nothing when they are wrong', async () => {
    const asked: unknown[] = [];
    const refusing = async (...given: unknown[]) => {
      asked.push(given);
      throw new Problem(403, 'Not allowed');
    };
    const handler = httpFunction({ authenticate: refusing, scope: 'rpc:call' }, async () => {
      throw new Error('was called');
    });
    const reply = await handler(httpEvent({ authorization: 'Bearer x' }), context);
    expect([asked, reply.statusCode]).toEqual([[['Bearer x', 'rpc:call']], 403]);
  });

  it('answers a problem as problem+json with the headers it has', async () => {
    const headers = { 'www-authenticate': 'Bearer' };
    const reply = await failing(new Problem(401, 'Not authenticated', 'no token', headers))(
      httpEvent(),
      context,
    );
    expect(reply.statusCode).toBe(401);
    expect(reply.headers).toMatchObject({ ...headers, 'content-type': 'application/problem+json' });
    expect(bodyOf(reply)).toEqual({
      type: 'about:blank',
      title: 'Not authenticated',
      status: 401,
      detail: 'no token',
    });
  });

  it('answers with 504 before its time is up if the handler is not done', async () => {
    const never = publicFunction({}, () => new Promise<HttpReply>(() => undefined));
    const reply = await never(httpEvent(), lambdaContext({ timeoutMs: 300 }));
    expect(reply).toMatchObject({ statusCode: 504, headers: { 'content-type': 'application/problem+json' } });
    expect(bodyOf(reply)).toEqual({ type: 'about:blank', title: 'No answer in time', status: 504 });
  });

  it('silence: without a log, a failure of the server is an error on standard error, and one of the client is not', async () => {
    const lines = await errorLines(async () => {
      for (const error of [
        new Error('a bug'),
        new UnavailableError('database', 'away'),
        new Problem(404, 'No'),
      ])
        await failing(error)(httpEvent({ path: '/orders/1' }), context);
    });
    expect(lines).toMatchObject([
      { level: 'error', path: '/orders/1', err: { message: 'a bug' } },
      { level: 'error', path: '/orders/1', err: { message: 'away' } },
    ]);
  });

  it.each([
    ['an error', new Error('secret at /srv/app/x.ts')],
    [
      'an error with a status of its own',
      Object.assign(new Error('secret'), { statusCode: 418, expose: true }),
    ],
    ['an error with a cause', new Error('secret', { cause: new Problem(404, 'secret') })],
    ['a text', 'secret'],
  ])('http: an unexpected error (%s) is answered with 500 without details', async (_what, error) => {
    const reply = await failing(error)(httpEvent(), context);
    expect(reply.headers?.['content-type']).toBe('application/problem+json');
    expect(bodyOf(reply)).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 });
    expect(JSON.stringify(reply)).not.toMatch(/secret|\.ts|at /);
  });

  it('http: an unavailable dependency is answered with 503, its name and Retry-After', async () => {
    const error = new UnavailableError('storage', 'http://10.0.0.1 is away', { cause: new Error('secret') });
    const reply = await failing(error)(httpEvent(), context);
    expect(reply).toMatchObject({ statusCode: 503, headers: { 'retry-after': '5' } });
    expect(bodyOf(reply)).toMatchObject({ status: 503, detail: 'storage: unavailable for now; try again' });
    expect(reply.body).not.toMatch(/secret|10\.0/);
  });

  it.each([
    ['a refused connection', Object.assign(new Error('connect 10.0.0.1'), { code: 'ECONNREFUSED' }), '5'],
    ['a query of a server that shuts down', Object.assign(new Error('secret'), { code: '57P01' }), '5'],
    ['an API that answers 503', Object.assign(new Error('secret'), { status: 503 }), '5'],
    ['an API that names a pause', new RetryLaterError(30, 'secret'), '30'],
    [
      'a dependency that names a pause',
      new UnavailableError('api', 'secret', { cause: new RetryLaterError(30) }),
      '30',
    ],
  ])(
    'http: %s that the handler does not catch is a dependency by the same table as for messages',
    async (_what, error, after) => {
      const reply = await failing(error)(httpEvent(), context);
      expect(reply).toMatchObject({ statusCode: 503, headers: { 'retry-after': after } });
      expect(reply.body).not.toMatch(/secret|10\.0/);
    },
  );

  it.each([200, 404, 500])('keeps an answer of %d out of caches and sniffers', async (status) => {
    const handler = publicFunction({}, async () => {
      if (status === 200) return json(200, {});
      throw status === 500 ? new Error('x') : new Problem(status, 'x');
    });
    // As it goes out: in JSON, which drops what is undefined.
    const reply = JSON.parse(JSON.stringify(await handler(httpEvent(), context))) as HttpReply;
    const values = Object.fromEntries(
      Object.entries(reply.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    expect(reply.statusCode).toBe(status);
    expect(values['cache-control']).toBe('no-store');
    expect(values['x-content-type-options']).toBe('nosniff');
    expect(values['strict-transport-security']).toMatch(/max-age=\d{7,}/);
    expect(values).not.toHaveProperty('x-powered-by');
  });
});

describe('problemBody', () => {
  it('problem: a body without a detail has no such member', () => {
    expect(problemBody(new Problem(404, 'No such thing'))).toEqual({
      type: 'about:blank',
      title: 'No such thing',
      status: 404,
    });
  });
});

describe('toProblem', () => {
  it('leaves a problem as it is', () => {
    const problem = new Problem(409, 'Conflict');
    expect(toProblem(problem)).toBe(problem);
  });
});
