import { randomUUID } from 'node:crypto';
import { toHttpEvent } from '../hosts/http/payload.ts';
import type { HttpEvent } from '../http/function.ts';

/** An HTTP request for a test, in plain values; every field is optional. */
export interface TestRequest {
  /** Default `GET`. */
  method?: string | undefined;
  /** The path without the query, default `/test`. */
  path?: string | undefined;
  /** The route as serverless.yml specifies it, such as `GET /parcels/{id}`; default `ANY` and the path. */
  route?: string | undefined;
  /** Parameters of the route's path: `{ id: '5' }` for `/parcels/{id}`. */
  parameters?: Readonly<Record<string, string>> | undefined;
  query?: Readonly<Record<string, string>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Value of the header Authorization. */
  authorization?: string | undefined;
  /** A string or a Buffer is sent as it is, any other value as JSON; undefined is a request without a body. */
  body?: unknown;
  /** Default `application/json` if there is a body. */
  contentType?: string | undefined;
}

/**
 * Makes the event with which an HTTP API (payload format 2.0) calls a function for this request. `warren serve` makes the
 * same event of the same request.
 *
 * @example
 * import { httpEvent, invoke } from 'warren/testing';
 * import { createHandler } from './get-parcel.js';
 *
 * const event = httpEvent({ parameters: { id: '5' }, authorization: 'Bearer ...' });
 * const { statusCode } = await invoke(createHandler(deps), event);
 */
export function httpEvent(request: TestRequest = {}): HttpEvent {
  const { method = 'GET', path = '/test', route = `ANY ${path}`, parameters = {}, body } = request;
  const { authorization, contentType = 'application/json' } = request;
  const search = new URLSearchParams(request.query).toString();
  const headers = Object.entries({
    ...(authorization !== undefined && { authorization }),
    ...(body !== undefined && { 'content-type': contentType }),
    ...request.headers,
  }).map(([name, value]) => [name.toLowerCase(), value]);
  return toHttpEvent(
    { routeKey: route },
    {
      method,
      url: search === '' ? path : `${path}?${search}`,
      headers: Object.fromEntries(headers),
      parameters,
      body: bytesOf(body),
      ip: '127.0.0.1',
      id: randomUUID(),
      at: new Date(),
    },
  );
}

function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''));
}
