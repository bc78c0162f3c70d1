import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../../base/log.ts';
import { Problem, problemBody } from '../../http/problem.ts';
import { problemSecurity } from '../../http/security.ts';
import { FunctionLateError } from '../in-process.ts';
import { type LocalFunction, localFunction, type ProcessHost } from '../load.ts';
import { serveProbes } from '../probes.ts';
import { announcedBytes, connectionRefuser, createIntake } from './intake.ts';
import { createRequestMetrics } from './metrics.ts';
import { toHttpEvent, toPlainReply } from './payload.ts';
import { type Route, readRoutes } from './routes.ts';

export interface HostOptions extends ProcessHost {
  host: string;
  /** 0 for any. */
  port: number;
  /** Where `/metrics`, `/healthz` and `/readyz` are answered: not where the routes are, for those are everybody's. */
  probes?: { host: string; port: number } | undefined;
  /** The most bytes a body may have, default 4500000, which is what Lambda takes in base64. */
  bodyLimit?: number;
  /** The most bytes that all bodies in hand may have together, default 100000000; beyond that, requests are answered 503. */
  intakeLimit?: number;
  /** How long the client may take to send a request in milliseconds, default 30000. */
  requestTimeoutMs?: number;
  /** Proxies whose `X-Forwarded-For` is believed, as addresses or networks; default none. */
  trustProxy?: readonly string[];
  log: Log;
}

/** The functions of an HTTP API, answering in this process: what a container runs in place of a gateway. */
export interface Host {
  port: number;
  probesPort: number | undefined;
  /**
   * Takes no more connections, and resolves when all requests have been answered and all calls have ended.
   *
   * @param deadlineMs how long that may take, in milliseconds; then connections are cut.
   * @returns whether all was done.
   */
  stop(deadlineMs: number): Promise<boolean>;
}

/** Milliseconds; longer than load balancers keep theirs, so that none sends a request into a connection that just closed. */
const keepAliveTimeout = 75_000;

/**
 * Starts to serve the routes of a manifest's functions with AWS's event (payload format 2.0). An error of the host's own
 * (no such route, a body too large, a function that failed or was late) is problem+json, as the functions' are.
 *
 * @throws WarrenError ERR_CONFIG where a route is malformed, or a handler's file or export is missing.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { manifest, host, port, log, bodyLimit = 4_500_000, trustProxy = [] } = options;
  const { intakeLimit = 100_000_000, requestTimeoutMs = 30_000 } = options;
  const routes = readRoutes(manifest.functions);
  const names = [...new Set(routes.map(({ functionName }) => functionName))];
  const functions = new Map(names.map((name) => [name, localFunction(options, name)]));
  await Promise.all([...functions.values()].map((each) => each.load()));

  const calls = new Map<FastifyRequest, Promise<unknown>>();
  const intake = createIntake(intakeLimit);
  const metrics = createRequestMetrics();
  const security = await problemSecurity();
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(security);
    sendError(log, error, request, reply);
  };
  let draining = false;
  const app = fastify({
    ...{ bodyLimit, keepAliveTimeout, exposeHeadRoutes: false, genReqId: () => randomUUID() },
    ...(trustProxy.length > 0 && { trustProxy: [...trustProxy] }),
    requestTimeout: requestTimeoutMs,
    // Of a client that does not take its answer; nothing moves while a function works, either.
    connectionTimeout: longestCall(manifest, names) + keepAliveTimeout,
    http: {
      headersTimeout: Math.min(requestTimeoutMs, 10_000),
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 5000),
    },
    clientErrorHandler: connectionRefuser(security),
    // While it drains: a connection that is open is answered, and told to close.
    ...{ return503OnClosing: false, forceCloseConnections: 'idle' as const },
    frameworkErrors: fail,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => {
    const { method } = request;
    send(
      reply.headers(security),
      new Problem(404, 'No such route', `${method} ${pathOf(request)}: expected one of the routes`),
    );
  });
  app.addHook('onRequest', async (request, reply) => {
    const giveBack = intake.take(announcedBytes(request.headers, bodyLimit));
    // A client that has gone does not end the call that it made.
    reply.raw.once('close', () => void Promise.allSettled([calls.get(request)]).then(giveBack));
  });
  // Fastify says so of requests that come while it closes, and not of those that were there.
  app.addHook('onSend', async (_request, reply) => {
    if (draining) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, ip, id, routeOptions } = request;
    const ms = Math.round(reply.elapsedTime);
    const { statusCode: status } = reply;
    metrics.request({ method, route: routeOptions.url ?? '', status, ms });
    // Without its query, which may hold a token.
    log.info({ method, path: pathOf(request), status, ms, ip, requestId: id }, 'request');
  });
  for (const route of routes) {
    const target = functions.get(route.functionName);
    if (target)
      addRoute(app, route, (request) => {
        const call = callRoute(target, route, request).finally(() => calls.delete(request));
        calls.set(request, call);
        return call;
      });
  }
  await app.listen({ host, port });
  const ready = () =>
    draining ? ({ status: 503, text: 'draining\n' } as const) : ({ status: 200, text: 'ok\n' } as const);
  const probes = options.probes && (await serveProbes({ ...options.probes, metrics, ready }));

  return {
    port: (app.server.address() as AddressInfo).port,
    probesPort: probes?.port,
    async stop(deadlineMs) {
      draining = true;
      // A client that has gone does not end the call that it made.
      const done = app
        .close()
        .then(() => Promise.allSettled(calls.values()))
        .then(() => true);
      const inTime = await Promise.race([done, pause(deadlineMs, false, { ref: false })]);
      app.server.closeAllConnections();
      probes?.close();
      return inTime;
    },
  };
}

type Answer = (request: FastifyRequest) => Promise<unknown>;

function addRoute(app: FastifyInstance, { method, path }: Route, answer: Answer): void {
  app.route({
    method: method === '*' ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] : method,
    url: path.replace(/\{(\w+)\+\}$/, '*').replace(/\{(\w+)\}/g, ':$1'),
    async handler(request, reply) {
      const { status, headers, cookies, body } = toPlainReply(await answer(request));
      reply.code(status).headers(headers);
      if (cookies.length > 0) reply.header('set-cookie', cookies);
      if (body.length === 0) return reply.send();
      if (headers['content-type'] === undefined) reply.type('text/plain; charset=utf-8');
      return reply.send(body);
    },
  });
}

async function callRoute(
  { call }: LocalFunction,
  route: Route,
  { method, url, headers, params, body, ip, id }: FastifyRequest,
): Promise<unknown> {
  const [, rest] = /\{(\w+)\+\}$/.exec(route.path) ?? [];
  const { '*': wild, ...named } = params as Record<string, string>;
  const parameters = rest === undefined ? named : { ...named, [rest]: wild ?? '' };
  const content = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  return call(
    toHttpEvent(route, { method, url, headers, parameters, body: content, ip, id, at: new Date() }),
  );
}

function sendError(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error);
  if (problem.status >= 500) {
    log.error(
      { method: request.method, path: pathOf(request), requestId: request.id, err: error },
      problem.title,
    );
  }
  if (!request.raw.complete) {
    // Who still sends would be cut off before reading the answer: the rest is read and forgotten, within the request's time.
    reply.removeHeader('connection');
    request.raw.resume();
  }
  send(reply, problem);
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof FunctionLateError) return new Problem(504, 'No answer in time');
  const { statusCode = 500, message = '' } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) return new Problem(413, 'Too large', `body: ${message}`);
  return statusCode < 500
    ? new Problem(statusCode, 'Malformed request', message)
    : new Problem(500, 'Internal Server Error');
}

function send(reply: FastifyReply, problem: Problem): void {
  const own = { 'cache-control': 'no-store', 'content-type': 'application/problem+json' };
  reply.code(problem.status).headers({ ...problem.headers, ...own });
  reply.send(Buffer.from(JSON.stringify(problemBody(problem))));
}

function longestCall({ functions }: ProcessHost['manifest'], names: readonly string[]): number {
  return Math.max(0, ...names.map((name) => (functions[name]?.timeout ?? 6) * 1000));
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0] ?? '';
