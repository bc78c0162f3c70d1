/**
 * Triggered by the queue `ping`: answers a call with the time it brought along. Nothing is kept, so that answering the
 * same call twice does no harm.
 */
import { z } from 'zod';
import { createPublisher, type PublisherLike } from '../../runtime/amqp/publisher.ts';
import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { onCalls } from '../../runtime/messages/on-calls.ts';
import { loadConfig } from '../../runtime/settings/read.ts';

const ping = z.object({
  client_name: z.string().optional(),
  time: z.union([z.number(), z.string()], { error: 'expected a number or text' }),
});

export function createHandler(deps: { publisher: PublisherLike; log?: Log }) {
  return onCalls({ schema: ping, ...deps }, async ({ body }) => `Pong!${body.time}`);
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'log']);
  const name = config.log.AWS_LAMBDA_FUNCTION_NAME;
  return createHandler({
    publisher: createPublisher({ url: config.broker.AMQP_URL, name }),
    log: createLog(config.log),
  });
});
