/**
 * Triggered by a schedule, where it is enabled: feeds the functions named in `custom.warren.longPoll` from a broker that
 * AWS's own mapping can't reach. What it takes and does not get done goes back to its queue, as with every host.
 */
import { loadConfig } from '../shared/config.ts';
import { lambdaInvoke } from '../shared/event-source/lambda.ts';
import {
  createLongPoll,
  type LongPollOptions,
  readPolledMappings,
} from '../shared/event-source/long-poll.ts';
import { whenCalled } from '../shared/lazy.ts';
import { createLog } from '../shared/log.ts';

export function createHandler(deps: LongPollOptions) {
  return createLongPoll(deps);
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'lambda', 'log']);
  return createHandler({
    url: config.broker.AMQP_URL,
    mappings: readPolledMappings(),
    invoke: ({ invokeAs, timeoutMs }) =>
      lambdaInvoke({ functionName: invokeAs, timeoutMs, endpoint: config.lambda.LAMBDA_URL }),
    log: createLog(config.log),
  });
});
