/**
 * Triggered by `POST /rpc/{method}`: calls a method over RabbitMQ and returns its reply. Any queue bound to the exchange
 * `rpc` is a method, regardless of the program that serves it. The effect of a repeated call depends on the method.
 */
import {
  callerHeader,
  DeadlineError,
  type Log,
  lambda,
  log,
  type RpcClientLike,
  rpcClient,
  UnroutableError,
} from 'warren/functions';
import { httpFunction, Problem, readJson } from 'warren/http';
import { z } from 'zod';
import { authenticate } from '../../shared/auth/resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { noSuchMethod, toHttp } from '../../shared/rpc/http-reply.ts';

interface Deps {
  rpc: RpcClientLike;
  authenticate: Authenticate;
  /** Time limit for the reply in milliseconds, default 10000. */
  timeoutMs?: number;
  log?: Log;
}

export function createHandler({ rpc, timeoutMs = 10_000, ...deps }: Deps) {
  return httpFunction({ scope: 'rpc:call', ...deps }, async ({ event, user }) => {
    const method = event.pathParameters?.['method'] ?? '';
    if (!/^[\w.-]{1,200}$/.test(method)) throw noSuchMethod(method);
    const body = readJson(event, z.unknown());
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

export const handler = lambda({ rpc: rpcClient, authenticate, log }, createHandler);
