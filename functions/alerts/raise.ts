/**
 * Triggered by `POST /alerts`: turns the request into a message on the topic exchange `alerts` and answers when the
 * broker has taken it. A client that asks again raises another alert; it has a message id of its own.
 */
import { z } from 'zod';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { UnroutableError } from '../../runtime/base/errors.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { readJson } from '../../runtime/http/body.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { Problem } from '../../runtime/http/problem.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { dedupKeyExpected, dedupKeyPattern } from '../../shared/alerts/alert.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { createRateLimit, type RateLimit } from '../../shared/http/rate-limit.ts';

const request = z.object({
  routing_key: z
    .string({ error: 'expected <severity>.<type>, such as critical.rate_limit' })
    .max(200)
    .regex(/^[\w-]+\.[\w-]+$/, {
      error: ({ input }) => `expected <severity>.<type>, such as critical.rate_limit, got "${input}"`,
    }),
  message: z.json({ error: 'expected a text or any other JSON value' }),
  /** Alerts with the same are told at once the first time, and then in summaries. */
  dedup_key: z
    .string({ error: `expected ${dedupKeyExpected}` })
    .regex(dedupKeyPattern, { error: `expected ${dedupKeyExpected}` })
    .optional(),
});

/** Of the message's JSON: far below what a batch may carry to a function, in base64 and together with others (6 MB). */
const mostBytes = 256 * 1024;

interface Deps {
  publisher: PublisherLike;
  authenticate: Authenticate;
  limit?: RateLimit;
  log?: Log;
}

export function createHandler(deps: Deps) {
  const { publisher } = deps;
  return httpFunction({ scope: 'alerts:write', ...deps }, async ({ event }) => {
    const { routing_key: routingKey, message: body, dedup_key } = readJson(event, request);
    refuseLarge(body);
    const headers = dedup_key === undefined ? undefined : { dedup_key };
    try {
      const { messageId } = await publisher.publish({ exchange: 'alerts', routingKey, body, headers });
      return json(202, { message_id: messageId });
    } catch (error) {
      if (!(error instanceof UnroutableError)) throw error;
      throw new Problem(422, 'No route', `routing_key: nobody listens for "${routingKey}"`);
    }
  });
}

function refuseLarge(message: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(message));
  if (bytes <= mostBytes) return;
  const detail = `message: expected at most ${mostBytes} bytes of JSON (256 KiB), got ${bytes}`;
  throw new Problem(413, 'Too large', detail);
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'database', 'auth', 'alertLimit', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  const log = createLog(config.log);
  const db = connectDatabase({ url: config.database.DATABASE_URL, name });
  return createHandler({
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    authenticate: createAuthenticate(config.auth),
    limit: createRateLimit({ db, action: 'alerts', rate: config.alertLimit.RATE_LIMIT_ALERTS, log }),
    log,
  });
});
