import type { RpcReply } from 'warren/functions';
import { type HttpReply, json, Problem } from 'warren/http';
import * as z from 'zod';

const problem = z.object({
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().optional(),
});

/**
 * Converts the reply of a method to an HTTP response with the same bytes and content type.
 *
 * @throws Problem with the status of an error reply; 502 if that is not a valid error.
 */
export function toHttp({ body, content, type, contentType }: RpcReply): HttpReply {
  if (type === 'error') {
    const error = problem.safeParse(body);
    if (!error.success) throw new Problem(502, 'The method failed');
    throw new Problem(error.data.status, error.data.title, error.data.detail);
  }
  const isText = !Buffer.isBuffer(body);
  return {
    ...json(200, null, { 'content-type': mediaType(contentType, body) }),
    body: content.toString(isText ? 'utf8' : 'base64'),
    isBase64Encoded: !isText,
  };
}

/** A media type with parameters (RFC 9110, 8.3.1); anything else does not belong into a header. */
const validType =
  /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;\s*[\w!#$&^.+-]+=([\w!#$&^.+-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*$/;

function mediaType(given: string | undefined, body: unknown): string {
  if (given !== undefined && /^text\/plain$/i.test(given)) return `${given}; charset=utf-8`;
  if (given !== undefined && validType.test(given)) return given;
  if (Buffer.isBuffer(body)) return 'application/octet-stream';
  return typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
}

/** The problem for a method that is not listed or has no queue. */
export function noSuchMethod(method: string): Problem {
  return new Problem(
    404,
    'No such method',
    `method: expected one that HTTP reaches and a queue serves, got "${method}"`,
  );
}
