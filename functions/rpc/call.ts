/**
 * Triggered by `POST /rpc/{method}`: calls a method over RabbitMQ and answers with its reply. Any queue bound to the
 * exchange `rpc` is a method, whoever serves it. What asking twice does is up to the method.
 */
import { z } from 'zod';
import { createRpcClient, type RpcClientLike, type RpcReply } from '../../runtime/amqp/rpc-client.ts';
import { DeadlineError, UnroutableError } from '../../runtime/base/errors.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { type HttpReply, httpFunction, json } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { callerHeader } from '../../runtime/messages/on-calls.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';

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

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'auth', 'log']);
  return createHandler({
    rpc: createRpcClient({ url: config.broker.AMQP_URL, name: config.log.AWS_LAMBDA_FUNCTION_NAME }),
    authenticate: createAuthenticate(config.auth),
    log: createLog(config.log),
  });
});
