/**
 * Triggered by a schedule, where it is enabled: feeds the functions named in `custom.warren.longPoll` from a broker that
 * AWS's own mapping can't reach. What it takes and does not get done goes back to its queue, as with every host.
 */

import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog } from '../../runtime/base/log.ts';
import { lambdaInvoke } from '../../runtime/hosts/lambda.ts';
import { createLongPoll, type LongPollOptions, readPolledMappings } from '../../runtime/hosts/long-poll.ts';
import { loadConfig } from '../../runtime/settings/read.ts';

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
