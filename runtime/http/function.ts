import middy from '@middy/core';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { stringifyJson } from '../base/json.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { type TracedOptions, traced } from '../base/trace.ts';
import { bodyLimitOf, refuseLargeBody } from './body-limit.ts';
import { Problem, problemAnswer, toProblem } from './problem.ts';
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
  /** Scope that the caller's token must have; default none, so that any valid token is accepted. */
  scope?: string;
  /** Counts the request against the caller's limit and throws Problem 429 above it; default no limit. */
  limit?: ((user: User) => Promise<void>) | undefined;
  /**
   * Bytes of a body, default 65536 (64 KiB). A larger one is answered with 413 before it is parsed and before the caller is
   * authenticated. `lambda` takes the same limit, for hosts that read the body themselves.
   */
  maxBytes?: number | undefined;
  log?: Log | undefined;
}

/** A function for HTTP routes, and its limit for bodies. */
export interface HttpFunction {
  (event: HttpEvent, context: Context): Promise<HttpReply>;
  readonly maxBytes: number;
}

/**
 * Creates a function for an HTTP API route (payload format 2.0) from a handler. The function authenticates the caller,
 * returns errors as problem+json (RFC 9457) and adds the security headers that OWASP recommends for APIs. It answers with 504 if the
 * handler is not done 100 ms before the function's time is up; the handler then continues until the host ends it.
 *
 * @param handle throws Problem for an error of the client, UnavailableError if a dependency is unavailable (503).
 * @throws WarrenError ERR_CONFIG if `maxBytes` is wrong.
 */
export function httpFunction<User>(
  { authenticate, scope, limit, maxBytes, log }: HttpOptions<User>,
  handle: (request: HttpRequest<User>) => Promise<HttpReply>,
): HttpFunction {
  return publicFunction({ log, maxBytes }, async (event) => {
    // The header itself, and not the claims that a gateway may have read from it.
    const user = await authenticate(event.headers['authorization'], scope);
    await limit?.(user);
    return handle({ event, user });
  });
}

/**
 * Creates a function as `httpFunction` does, for a route without authentication.
 *
 * @param options `contentSecurityPolicy`: directives for HTML pages, instead of the strictest. `security`: further options
 *   for pages. `maxBytes`: as of `httpFunction`.
 */
export function publicFunction(
  options: {
    log?: Log | undefined;
    contentSecurityPolicy?: Record<string, string | undefined>;
    security?: PageSecurity;
    maxBytes?: number | undefined;
  },
  handle: (event: HttpEvent) => Promise<HttpReply>,
): HttpFunction {
  const { log, contentSecurityPolicy, security } = options;
  const maxBytes = bodyLimitOf(options);
  const answer = middy<HttpEvent, HttpReply>({
    timeoutEarlyInMillis: 100,
    timeoutEarlyResponse: () => {
      throw new Problem(504, 'No answer in time');
    },
  })
    .use(secured(contentSecurityPolicy, security))
    .onError((request) => {
      const problem = toProblem(request.error);
      const { rawPath } = request.event;
      const fields = { path: rawPath, err: request.error };
      if (problem.status >= 500) (log ?? defaultLog()).error(fields, problem.title);
      else log?.info(fields, problem.title);
      request.response = problemAnswer(problem);
    })
    .handler(async (event) => {
      refuseLargeBody(event, maxBytes);
      return handle(event);
    });
  const call = async (event: HttpEvent, lambda: Context) => {
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
  return Object.assign(call, { maxBytes });
}

function requestSpan({ routeKey, rawPath, headers }: HttpEvent): TracedOptions {
  const [method = '', route = ''] = routeKey.split(' ');
  const attributes = { 'http.request.method': method, 'http.route': route, 'url.path': rawPath };
  return { name: routeKey, kind: SpanKind.SERVER, attributes, from: headers };
}

/** Creates a JSON response. No response may be stored in a shared cache. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): HttpReply {
  return {
    statusCode: status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: stringifyJson(body),
  };
}

/** Creates an empty response for a successful request. */
export function noContent(): HttpReply {
  return { statusCode: 204, headers: { 'cache-control': 'no-store' } };
}
