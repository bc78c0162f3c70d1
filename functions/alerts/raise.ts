/**
 * Triggered by `POST /alerts`: publishes the request as a message to the topic exchange `alerts` and answers when the
 * broker has confirmed it. A repeated request raises another alert with its own message id.
 */
import {
  type Log,
  lambda,
  log,
  type PublisherLike,
  publisher,
  stringifyJson,
  UnroutableError,
} from 'warren/functions';
import { httpFunction, json, Problem, readJson } from 'warren/http';
import { alertRequest } from '../../shared/alerts/alert-request.ts';
import { alertRaised } from '../../shared/alerts/contracts.ts';
import { alertLimit } from '../../shared/alerts/limit.ts';
import type { Caller } from '../../shared/auth/caller.ts';
import { authenticateCaller as authenticate } from '../../shared/auth/caller-resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import type { RateLimit } from '../../shared/http/rate-limit.ts';

/** Limit of the message's JSON, far below the limit of a batch in base64 (6 MB), which several messages share. */
const maxMessageBytes = 256 * 1024;
/** Limit of a request: the message, its routing key and its deduplication key. */
const maxBytes = maxMessageBytes + 16 * 1024;

interface Deps {
  publisher: PublisherLike;
  authenticate: Authenticate<Caller>;
  limit?: RateLimit;
  log?: Log;
}

export function createHandler(deps: Deps) {
  const { publisher } = deps;
  return httpFunction({ scope: 'alerts:write', maxBytes, ...deps }, async ({ event }) => {
    const request = readJson(event, alertRequest, { exact: true });
    const { routing_key: routingKey, message: body, dedup_key } = request;
    refuseLarge(body);
    const headers = dedup_key === undefined ? undefined : { dedup_key };
    try {
      const { messageId } = await publisher.publish(alertRaised.message(body, { routingKey, headers }));
      return json(202, { message_id: messageId });
    } catch (error) {
      if (!(error instanceof UnroutableError)) throw error;
      throw new Problem(422, 'No route', `routing_key: no queue is bound for "${routingKey}"`);
    }
  });
}

function refuseLarge(message: unknown): void {
  const bytes = Buffer.byteLength(stringifyJson(message));
  if (bytes <= maxMessageBytes) return;
  const detail = `message: expected at most ${maxMessageBytes} bytes of JSON (256 KiB), got ${bytes}`;
  throw new Problem(413, 'Too large', detail);
}

export const handler = lambda({ publisher, authenticate, limit: alertLimit, log }, createHandler, {
  maxBytes,
});
