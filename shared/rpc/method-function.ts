import type { Kysely } from 'kysely';
import {
  callerHeader,
  DeadlineError,
  type Log,
  ReplyTooLargeError,
  type RpcClientLike,
  UnroutableError,
} from 'warren/functions';
import { type HttpMethod, httpFunction, Problem, readJsonBytes } from 'warren/http';
import type { Caller } from '../auth/caller.ts';
import type { Authenticate } from '../auth/tokens.ts';
import type { Database } from '../database/schema.ts';
import { rateField } from '../http/rate.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { noSuchMethod, toHttp } from './http-reply.ts';

export interface MethodDeps {
  rpc: RpcClientLike;
  /** Counts the calls of each caller. */
  db: Kysely<Database>;
  authenticate: Authenticate<Caller>;
  log?: Log;
}

/** Bytes; an answer of Lambda takes no more in base64. */
const maxReplyBytes = 4_500_000;

/** Creates the function that calls a method for HTTP, within its limits. */
export function methodFunction(
  name: string,
  { scope, maxBytes, timeout, rate }: HttpMethod,
  { rpc, db, ...deps }: MethodDeps,
) {
  const limit = createRateLimit({
    db,
    action: `rpc ${name}`,
    rate: rateField(rate).parse(rate),
    ...(deps.log && { log: deps.log }),
  });
  return httpFunction({ scope, limit, maxBytes, ...deps }, async ({ event, user: caller }) => {
    const body = readJsonBytes(event);
    const headers = { [callerHeader]: caller.key };
    try {
      const options = { timeoutMs: timeout * 1000, headers, maxReplyBytes };
      return toHttp(await rpc.call(name, body, options));
    } catch (error) {
      if (error instanceof ReplyTooLargeError)
        throw new Problem(502, 'The reply is too large', error.message);
      if (error instanceof UnroutableError) throw noSuchMethod(name);
      if (!(error instanceof DeadlineError)) throw error;
      throw new Problem(504, 'No answer in time', `${name}: expected an answer within ${timeout} s`);
    }
  });
}
