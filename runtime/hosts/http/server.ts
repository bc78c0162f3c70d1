import { randomUUID } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../../base/log.ts';
import { defaultBodyBytes } from '../../http/body-limit.ts';
import { problemSecurity } from '../../http/security.ts';
import { pathOf, sendError, sendNoRoute } from './answers.ts';
import { announcedBytes, arrivingBody, connectionRefuser, createIntake } from './intake.ts';
import { limitConnections } from './limit-connections.ts';
import { memoryLimits } from './memory-limits.ts';
import type { createRequestMetrics } from './metrics.ts';
import { UnreadAnswers } from './unread-answers.ts';

export interface ServerOptions {
  /** Largest body of any route in bytes, default 4500000, which is what Lambda takes in base64; each function has its own limit. */
  bodyLimit?: number;
  /** Largest answer of any route in bytes as the function returns it, default 6000000, which is what Lambda takes. */
  answerLimit?: number;
  /**
   * Bytes that the bodies of all requests in flight may have together; beyond that the answer is 503. Default a tenth of the
   * memory of the container, at most 100000000.
   */
  intakeLimit?: number;
  /**
   * Bytes that all answers may have together that their clients have not read yet; beyond that the connection of the oldest is
   * closed. Default as `intakeLimit`.
   */
  unreadLimit?: number;
  /** Connections at a time; further ones are closed at once. Default a tenth of the memory of the container, at most 10000. */
  connectionLimit?: number;
  /** Number of processes that share the memory of the container, default 1. */
  processes?: number;
  /** How long a client may take to send a request in milliseconds, default 30000. */
  requestTimeoutMs?: number;
  /** Proxies whose `X-Forwarded-For` is trusted, as addresses or networks; default none. */
  trustProxy?: readonly string[];
  log: Log;
}

export interface ServerParts {
  metrics: ReturnType<typeof createRequestMetrics>;
  /** The call of a request, while it runs. */
  callOf(request: FastifyRequest): Promise<unknown> | undefined;
  draining(): boolean;
  /** Milliseconds that the longest call may take. */
  longestCallMs: number;
}

/** Milliseconds; longer than load balancers keep theirs, so that none sends a request on a connection that has just closed. */
const keepAliveTimeout = 75_000;

/**
 * Makes the HTTP server: limits, errors, metrics and log lines, but no routes. An error of the server's own (no such route, a
 * body too large, a function that failed or was late) is problem+json, as the functions' are.
 */
export async function createServer(options: ServerOptions, parts: ServerParts): Promise<FastifyInstance> {
  const { log, requestTimeoutMs = 30_000, trustProxy = [] } = options;
  const limits = memoryLimits(options.processes);
  const { intakeLimit = limits.intake, unreadLimit = limits.unread } = options;
  const { connectionLimit = limits.connections } = options;
  const intake = createIntake(intakeLimit);
  const unread = new UnreadAnswers(unreadLimit);
  const security = await problemSecurity();
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(security);
    sendError(log, error, request, reply);
  };
  const app = fastify({
    // Of requests without a route; each route has its own limit.
    bodyLimit: defaultBodyBytes,
    keepAliveTimeout,
    exposeHeadRoutes: false,
    genReqId: () => randomUUID(),
    ...(trustProxy.length > 0 && { trustProxy: [...trustProxy] }),
    requestTimeout: requestTimeoutMs,
    // For a client that does not read its answer; nothing is sent while a function works, either.
    connectionTimeout: parts.longestCallMs + keepAliveTimeout,
    http: {
      headersTimeout: Math.min(requestTimeoutMs, 10_000),
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 5000),
    },
    clientErrorHandler: connectionRefuser(security),
    // While the server drains, a request on an open connection is still answered, with `connection: close`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: fail,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => sendNoRoute(request, reply.headers(security)));
  app.addHook('onRequest', async (request, reply) => {
    const { bodyLimit = defaultBodyBytes } = request.routeOptions;
    const bytes = announcedBytes(request.headers, bodyLimit);
    const giveBack = intake.take(bytes, arrivingBody(request.raw, bytes, requestTimeoutMs));
    // A client that disconnects does not end the call that it made.
    reply.raw.once('close', () => void Promise.allSettled([parts.callOf(request)]).then(giveBack));
  });
  // Fastify adds this header to requests that come while it closes, and not to those that were there.
  app.addHook('onSend', async (_request, reply, body) => {
    if (parts.draining()) reply.header('connection', 'close');
    if (!Buffer.isBuffer(body)) return;
    const connections = unread.add(reply.raw, body.length);
    if (connections > 0)
      log.warn({ connections, unreadLimit }, 'closing connections that do not read their answers');
  });
  limitConnections(app.server, connectionLimit, log);
  app.addHook('onResponse', async (request, reply) => {
    const { method, ip, id, routeOptions } = request;
    const ms = Math.round(reply.elapsedTime);
    const { statusCode: status } = reply;
    parts.metrics.request({ method, route: routeOptions.url ?? '', status, ms });
    log.info({ method, path: pathOf(request), status, ms, ip, requestId: id }, 'request');
  });
  return app;
}
