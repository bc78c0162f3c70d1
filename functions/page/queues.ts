/** Triggered by `GET /queues`: tells how each queue of the topology stands. Reads only, and takes no message. */

import { whenCalled } from '../../runtime/base/lazy.ts';
import { createLog, type Log } from '../../runtime/base/log.ts';
import { httpFunction, json } from '../../runtime/http/function.ts';
import { loadConfig } from '../../runtime/settings/read.ts';
import { createQueues, type Queues } from '../../runtime/topology/queue-states.ts';
import { readTopology } from '../../runtime/topology/service-file.ts';
import { type Authenticate, createAuthenticate } from '../../shared/auth/tokens.ts';

interface Deps {
  queues: Pick<Queues, 'read'>;
  authenticate: Authenticate;
  log?: Log;
}

export function createHandler({ queues, ...deps }: Deps) {
  return httpFunction({ scope: 'queues:read', ...deps }, async () => {
    const states = await queues.read();
    return json(200, {
      queues: states.map(({ inFlight, bindings, ...state }) => ({
        ...state,
        in_flight: inFlight,
        bindings: bindings.map(({ exchange, routingKey }) => ({ exchange, routing_key: routingKey })),
      })),
      // By the queue they came from, only reading each of them would tell, and that keeps them from others meanwhile.
      dead_letters: states.find(({ kind }) => kind === 'dead-letters')?.ready ?? null,
    });
  });
}

export const handler = whenCalled(async () => {
  const config = await loadConfig(['broker', 'management', 'auth', 'log']);
  const log = createLog(config.log);
  // The artifact holds a copy: the topology is said in one place.
  const topology = readTopology();
  return createHandler({
    queues: createQueues({
      url: config.broker.AMQP_URL,
      managementUrl: config.management.AMQP_MANAGEMENT_URL,
      ...{ topology, log, name: config.log.AWS_LAMBDA_FUNCTION_NAME },
    }),
    authenticate: createAuthenticate(config.auth),
    log,
  });
});
