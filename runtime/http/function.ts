import middy from '@middy/core';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { type Log, silentLog } from '../base/log.ts';
import { type TracedOptions, traced } from '../base/trace.ts';
import { problemBody, toProblem } from './problem.ts';
import { type PageSecurity, secured } from './security.ts';

export type HttpEvent = APIGatewayProxyEventV2;
export type HttpReply = APIGatewayProxyStructuredResultV2;

export interface HttpRequest<User> {
  event: HttpEvent;
  /** The caller, as `authenticate` returned it. */
  user: User;
}

export interface HttpOptions<User> {
  /**
   * Checks the header Authorization and returns the caller. It throws Problem 401 without a valid token, 403 without the
   * scope, and UnavailableError if it cannot check.
   */
  authenticate(authorization: string | undefined, scope: string | undefined): Promise<User>;
  /** What the caller's token has to allow, default nothing: any valid token will do. */
  scope?: string;
  /** Counts the request against the caller's limit and throws Problem 429 above it; default no limit. */
  limit?: ((user: User) => Promise<void>) | undefined;
  log?: Log | undefined;
}

type HttpFunction = (event: HttpEvent, context: Context) => Promise<HttpReply>;

/**
 * Makes a function for an HTTP API route (payload format 2.0) out of a handler: it authenticates the caller, answers
 * errors as problem+json (RFC 9457) and adds the security headers that OWASP recommends for APIs.
 *
 * @param handle throws Problem for what the client did wrong, UnavailableError where a part is away (503).
 */
export function httpFunction<User>(
  { authenticate, scope, limit, log = silentLog }: HttpOptions<User>,
  handle: (request: HttpRequest<User>) => Promise<HttpReply>,
): HttpFunction {
  return publicFunction({ log }, async (event) => {
    // The header itself, and nothing that a gateway says it has read from it.
    const user = await authenticate(event.headers['authorization'], scope);
    await limit?.(user);
    return handle({ event, user });
  });
}

/**
 * As `httpFunction`, for a route that anyone may call.
 *
 * @param options `contentSecurityPolicy`: directives for pages in HTML, in place of the strictest. `security`: what else
 *   differs for them.
 */
export function publicFunction(
  options: {
    log?: Log | undefined;
    contentSecurityPolicy?: Record<string, string | undefined>;
    security?: PageSecurity;
  },
  handle: (event: HttpEvent) => Promise<HttpReply>,
): HttpFunction {
  const { log = silentLog, contentSecurityPolicy, security } = options;
  const answer = middy<HttpEvent, HttpReply>()
    .use(secured(contentSecurityPolicy, security))
    .onError((request) => {
      const problem = toProblem(request.error);
      const { rawPath } = request.event;
      log[problem.status >= 500 ? 'error' : 'info']({ path: rawPath, err: request.error }, problem.title);
      const reply = json(problem.status, problemBody(problem), problem.headers);
      request.response = {
        ...reply,
        headers: { ...reply.headers, 'content-type': 'application/problem+json' },
      };
    })
    .handler(handle);
  return async (event, lambda) => {
    return traced(
      () => requestSpan(event),
      async (span) => {
        const reply = await answer(event, lambda);
        const { statusCode = 200 } = reply;
        span?.setAttribute('http.response.status_code', statusCode);
        if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
        return reply;
      },
    );
  };
}

function requestSpan({ routeKey, rawPath, headers }: HttpEvent): TracedOptions {
  const [method = '', route = ''] = routeKey.split(' ');
  const attributes = { 'http.request.method': method, 'http.route': route, 'url.path': rawPath };
  return { name: routeKey, kind: SpanKind.SERVER, attributes, from: headers };
}

/** An answer in JSON. Nothing we answer is for a shared cache. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): HttpReply {
  return {
    statusCode: status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** An answer that says no more than that it is done. */
export function noContent(): HttpReply {
  return { statusCode: 204, headers: { 'cache-control': 'no-store' } };
}
