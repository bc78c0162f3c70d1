/**
 * Triggered by `POST /rpc/{method}`: calls a method over RabbitMQ and returns its reply. A method is any queue bound to the
 * exchange `rpc`, regardless of the program that serves it, if `custom.warren.methods` lists it. The effect of a repeated call
 * depends on the method.
 */
import type { Context } from 'aws-lambda';
import { lambda, log, rpcClient } from 'warren/functions';
import { type HttpEvent, type HttpMethods, httpFunction, readMethods } from 'warren/http';
import { authenticateCaller as authenticate } from '../../shared/auth/caller-resource.ts';
import { database } from '../../shared/database/resource.ts';
import { noSuchMethod } from '../../shared/rpc/http-reply.ts';
import { type MethodDeps, methodFunction } from '../../shared/rpc/method-function.ts';

interface Deps extends MethodDeps {
  /** The methods that it may call; default the ones that the plugin put into the environment. */
  methods?: HttpMethods;
}

export function createHandler({ methods = readMethods(), ...deps }: Deps) {
  const listed = new Map(
    Object.entries(methods).map(([name, method]) => [name, methodFunction(name, method, deps)]),
  );
  const unknown = httpFunction({ scope: 'rpc:call', ...deps }, async ({ event }) => {
    throw noSuchMethod(event.pathParameters?.['method'] ?? '');
  });
  return async (event: HttpEvent, context: Context) => {
    const call = listed.get(event.pathParameters?.['method'] ?? '') ?? unknown;
    return call(event, context);
  };
}

/** The largest request of any method, at least 64 KiB; each method refuses what is larger than its own. */
const maxBytes = () => Math.max(65_536, ...Object.values(readMethods()).map((method) => method.maxBytes));

export const handler = lambda({ rpc: rpcClient, db: database, authenticate, log }, createHandler, {
  maxBytes,
});
