import type { z } from 'zod';
import { decodedJson } from '../base/decoded-text.ts';
import { maxNested, parseJson } from '../base/json.ts';
import { isJsonType } from '../base/json-type.ts';
import { problemText } from '../base/schema-problems.ts';
import { refuseLargeBody } from './body-limit.ts';
import type { HttpEvent } from './function.ts';
import { Problem } from './problem.ts';

export interface ReadJsonOptions {
  /** A lower limit for this body than the function's; default no limit of its own. */
  maxBytes?: number;
  /** Keeps the digits of all numbers, as `decode: 'exact-json'` of `onMessages` does; default false. */
  exact?: boolean;
}

/**
 * Reads a JSON body. A body above the limit of the function (`maxBytes` of `httpFunction`) does not come this far.
 *
 * @param options a number is `maxBytes`.
 * @throws Problem 415 for another content type, 413 above the limit, 400 if the body is not JSON, 422 if it does not match the
 *   schema.
 */
export function readJson<Body>(
  event: HttpEvent,
  schema: z.ZodType<Body>,
  options: number | ReadJsonOptions = {},
): Body {
  const given = typeof options === 'number' ? { maxBytes: options } : options;
  const { maxBytes = Number.POSITIVE_INFINITY, exact = false } = given;
  assertJson(event);
  refuseLargeBody(event, maxBytes);
  const body = parse(textOf(bodyBytes(event)), exact);
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new Problem(422, 'The request can not be served', problemText(result.error, 'body', body));
}

/**
 * Reads a JSON body to pass it on as it is: its numbers keep their digits.
 *
 * @param maxBytes a lower limit than the function's; default no limit of its own.
 * @returns the text in UTF-8, without a byte order mark.
 * @throws Problem 415 for another content type, 413 above the limit, 400 if the body is not JSON.
 */
export function readJsonBytes(event: HttpEvent, maxBytes = Number.POSITIVE_INFINITY): Buffer {
  assertJson(event);
  refuseLargeBody(event, maxBytes);
  const text = textOf(bodyBytes(event));
  parse(text);
  return Buffer.from(text);
}

/**
 * Reads the query parameters.
 *
 * @throws Problem 422 if they do not match the schema.
 */
export function readQuery<Query>(event: HttpEvent, schema: z.ZodType<Query>): Query {
  const query = event.queryStringParameters ?? {};
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  throw new Problem(422, 'The request can not be served', problemText(result.error, 'query', query));
}

function assertJson({ headers }: HttpEvent): void {
  const type = headers['content-type'];
  if (!isJsonType(type ?? '')) {
    throw new Problem(415, 'Unsupported media type', `content-type: expected application/json, got ${type}`);
  }
}

function textOf(body: Buffer): string {
  const text = decodedJson(body);
  if (text === undefined) throw malformed();
  return text;
}

function parse(text: string, exact = false): unknown {
  try {
    return parseJson(text, { exact });
  } catch {
    throw malformed();
  }
}

const malformed = () =>
  new Problem(400, 'Malformed request', `body: expected JSON in UTF-8, nested at most ${maxNested} deep`);

/** Returns the bytes of a body, which the gateway passes as text or base64. */
export function bodyBytes({ body, isBase64Encoded }: HttpEvent): Buffer {
  // Without a body, serverless-offline has null.
  return Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
}
