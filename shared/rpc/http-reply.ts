import type { RpcReply } from 'warren/functions';
import { type HttpReply, json, Problem } from 'warren/http';
import { z } from 'zod';

const problem = z.object({
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().optional(),
});

/**
 * Converts the reply of a method to an HTTP response.
 *
 * @throws Problem with the status of an error reply; 502 if that is not a valid error.
 */
export function toHttp({ body, type, contentType }: RpcReply): HttpReply {
  if (type === 'error') {
    const error = problem.safeParse(body);
    if (!error.success) throw new Problem(502, 'The method failed');
    throw new Problem(error.data.status, error.data.title, error.data.detail);
  }
  if (typeof body === 'string' && !/json/i.test(contentType ?? '')) {
    return { ...json(200, null, { 'content-type': 'text/plain; charset=utf-8' }), body };
  }
  return json(200, body);
}

/** The problem for a method without a queue. */
export function noSuchMethod(method: string): Problem {
  return new Problem(404, 'No such method', `method: no queue serves "${method}"`);
}
