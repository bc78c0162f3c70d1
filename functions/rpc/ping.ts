/**
 * Triggered by the queue `ping`: replies to a call with the time in its request. It stores nothing, so that a repeated call
 * does no harm.
 */
import { type Log, lambda, log, onCalls, type PublisherLike, publisher } from 'warren/functions';
import { ping } from '../../shared/rpc/contracts.ts';

export function createHandler(deps: { publisher: PublisherLike; log?: Log }) {
  return onCalls({ contract: ping, ...deps }, async ({ body }) => `Pong!${body.time}`);
}

export const handler = lambda({ publisher, log }, createHandler);
