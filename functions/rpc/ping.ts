/**
 * Triggered by the queue `ping`: replies to a call with the time in its request. It stores nothing, so that a repeated call
 * does no harm.
 */
import { JsonNumber, type Log, lambda, log, onCalls, type PublisherLike, publisher } from 'warren/functions';
import { z } from 'zod';

const ping = z.object({
  client_name: z.string().optional(),
  time: z.union([z.number(), z.instanceof(JsonNumber), z.string()], { error: 'expected a number or text' }),
});

export function createHandler(deps: { publisher: PublisherLike; log?: Log }) {
  return onCalls({ schema: ping, decode: 'exact-json', ...deps }, async ({ body }) => `Pong!${body.time}`);
}

export const handler = lambda({ publisher, log }, createHandler);
