/**
 * Converts requests to an HTTP API's payload format 2.0, and a function's result to an answer.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { isUtf8 } from 'node:buffer';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { HttpEvent } from '../../http/function.ts';
import { Problem } from '../../http/problem.ts';
import type { Route } from './routes.ts';

/** The parts of a request that the event contains. */
export interface PlainRequest {
  method: string;
  /** Path and query, as received. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  parameters: Readonly<Record<string, string>>;
  /** Empty if there is none. */
  body: Buffer;
  /** The client's address. */
  ip: string;
  id: string;
  at: Date;
}

/** The answer that a function's result describes. */
export interface PlainReply {
  status: number;
  headers: Record<string, string>;
  /** One `Set-Cookie` header each. */
  cookies: string[];
  body: Buffer;
}

/** Media types that are text for AWS; any other body is base64 in the event. */
const isText =
  /^(text\/|application\/([\w.-]+\+)?(json|xml)\b|application\/(javascript|x-www-form-urlencoded)\b)/i;

/** Makes the event of a request. */
export function toHttpEvent(route: Pick<Route, 'routeKey'>, request: PlainRequest): HttpEvent {
  const { method, headers: given, parameters, body, ip, id, at } = request;
  // Split by hand: `new URL` would read `//other` as a host, and resolve `..`.
  const [path = '', ...query] = request.url.split('?');
  const search = query.join('?');
  // AWS passes cookies in a field of their own.
  const { cookie, ...others } = given;
  const headers = Object.fromEntries(
    Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
  // Bytes that are not UTF-8 would change as text in the event: the function must see them as they are.
  const text = isText.test(headers['content-type'] ?? 'text/plain') && isUtf8(body);
  const host = headers['host'] ?? '';
  return {
    version: '2.0',
    routeKey: route.routeKey,
    rawPath: path,
    rawQueryString: search,
    ...(cookie !== undefined && { cookies: String(cookie).split(/; */) }),
    headers,
    ...(search !== '' && { queryStringParameters: joined(new URLSearchParams(search)) }),
    ...(Object.keys(parameters).length > 0 && { pathParameters: { ...parameters } }),
    ...(body.length > 0 && { body: body.toString(text ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !text,
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName: host.replace(/:\d+$/, ''),
      domainPrefix: host.split('.')[0] ?? '',
      http: {
        method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: ip,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: id,
      routeKey: route.routeKey,
      stage: '$default',
      time: commonLogTime(at),
      timeEpoch: at.getTime(),
    },
  };
}

/** Formats a time as in a web server's log: `12/Mar/2020:19:03:58 +0000`. */
function commonLogTime(at: Date): string {
  const [, day, month, year, time] = at.toUTCString().split(/ /);
  return `${day}/${month}/${year}:${time} +0000`;
}

/** Joins the values of a repeated parameter with commas. */
function joined(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name).join(',')]));
}

/** Headers about one connection are set by the server (RFC 9110, section 7.6.1). */
const ofConnection = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Bytes of an answer by default: Lambda takes 6 MB. */
const defaultAnswerBytes = 6_000_000;

/**
 * Reads the result of a function. As on AWS, a result without a `statusCode` is the body of a 200.
 *
 * @param maxBytes limit for the body as the function returned it, default 6000000.
 * @throws TypeError for a status or a header that is not valid in HTTP, Problem 500 for a body above the limit. AWS answers 500
 *   for those.
 */
export function toPlainReply(result: unknown, maxBytes = defaultAnswerBytes): PlainReply {
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    const body = bytesOf(typeof result === 'string' ? result : JSON.stringify(result ?? null), maxBytes);
    return { status: 200, headers: { 'content-type': 'application/json' }, cookies: [], body };
  }
  const reply = result as Record<string, unknown>;
  const status = Number(reply['statusCode']);
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`statusCode: expected 200 to 599, got ${JSON.stringify(reply['statusCode'])}`);
  }
  const headers = Object.entries((reply['headers'] ?? {}) as Record<string, unknown>)
    .filter(([name, value]) => value != null && !ofConnection.has(name.toLowerCase()))
    .map(([name, value]): [string, string] => [name.toLowerCase(), String(value)]);
  const cookies = Array.isArray(reply['cookies']) ? reply['cookies'].map(String) : [];
  // Checked here, because an error while the answer is being written would come too late.
  for (const [name, value] of [...headers, ...cookies.map((cookie) => ['set-cookie', cookie] as const)]) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  const text = typeof reply['body'] === 'string' ? reply['body'] : '';
  return {
    status,
    cookies,
    headers: Object.fromEntries(headers),
    body: bytesOf(text, maxBytes, reply['isBase64Encoded'] === true ? 'base64' : 'utf8'),
  };
}

function bytesOf(text: string, maxBytes: number, encoding: 'base64' | 'utf8' = 'utf8'): Buffer {
  // Base64 is measured as it is, because Lambda counts it so.
  const bytes = encoding === 'base64' ? text.length : Buffer.byteLength(text);
  if (bytes > maxBytes) {
    const detail = `body: expected at most ${maxBytes} bytes, got ${bytes}`;
    throw new Problem(500, 'The answer is too large', detail);
  }
  return Buffer.from(text, encoding);
}
