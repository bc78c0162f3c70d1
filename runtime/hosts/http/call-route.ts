import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { LocalFunction } from '../load.ts';
import { toHttpEvent, toPlainReply } from './payload.ts';
import type { Route } from './routes.ts';

/** The function of a route, as the server sees it. */
export interface RouteTarget {
  /** Bytes of a body; a larger one is refused unread. */
  bodyLimit: number;
  /** Bytes of an answer; a larger one is the error 500. */
  answerLimit?: number | undefined;
  /** Answers a request with the result of the function. */
  call: (request: FastifyRequest) => Promise<unknown>;
}

/** Adds a route. */
export function addRoute(
  app: FastifyInstance,
  { method, path }: Route,
  { bodyLimit, answerLimit, call }: RouteTarget,
): void {
  app.route({
    bodyLimit,
    method: method === '*' ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] : method,
    url: path.replace(/\{(\w+)\+\}$/, '*').replace(/\{(\w+)\}/g, ':$1'),
    async handler(request, reply) {
      const { status, headers, cookies, body } = toPlainReply(await call(request), answerLimit);
      reply.code(status).headers(headers);
      if (cookies.length > 0) reply.header('set-cookie', cookies);
      if (body.length === 0) return reply.send();
      if (headers['content-type'] === undefined) reply.type('text/plain; charset=utf-8');
      return reply.send(body);
    },
  });
}

/** Calls the function of a route with AWS's event for a request. */
export async function callRoute(
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
