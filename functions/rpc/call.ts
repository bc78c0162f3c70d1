/**
 * Triggered by `POST /rpc/{method}`: calls a method over RabbitMQ and answers with its reply. Any queue bound to the
 * exchange `rpc` is a method, whoever serves it. What asking twice does is up to the method.
 */
import {
  callerHeader,
  DeadlineError,
  type Log,
  lambda,
  log,
  type RpcClientLike,
  type RpcReply,
  rpcClient,
  UnroutableError,
} from 'warren/functions';
import { type HttpReply, httpFunction, json, Problem, readJson } from 'warren/http';
import { z } from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';

interface Deps {
  rpc: RpcClientLike;
  authenticate: Authenticate;
  /** How long to wait for the reply in milliseconds, default 10000. */
  timeoutMs?: number;
  log?: Log;
}

const problem = z.object({
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().optional(),
});

export function createHandler({ rpc, timeoutMs = 10_000, ...deps }: Deps) {
  return httpFunction({ scope: 'rpc:call', ...deps }, async ({ event, user }) => {
    const method = event.pathParameters?.['method'] ?? '';
    if (!/^[\w.-]{1,200}$/.test(method)) throw noSuchMethod(method);
    const body = readJson(event, z.json());
    try {
      return toHttp(
        await rpc.call(method, body, { timeoutMs, headers: { [callerHeader]: String(user.id) } }),
      );
    } catch (error) {
      if (error instanceof UnroutableError) throw noSuchMethod(method);
      if (!(error instanceof DeadlineError)) throw error;
      throw new Problem(
        504,
        'No answer in time',
        `${method}: expected an answer within ${timeoutMs / 1000} s`,
      );
    }
  });
}

function toHttp({ body, type, contentType }: RpcReply): HttpReply {
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

function noSuchMethod(method: string): Problem {
  return new Problem(404, 'No such method', `method: nobody serves "${method}"`);
}

export const handler = lambda({ rpc: rpcClient, authenticate, log }, createHandler);
