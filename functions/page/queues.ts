/**
 * Triggered by `GET /queues`: returns the state of each queue in the topology, and the address of the board. Reads only, and takes no
 * message.
 */

import { type Log, lambda, log } from 'warren/functions';
import { httpFunction, json } from 'warren/http';
import type { QueueStates } from 'warren/topology';
import type { Caller } from '../../shared/auth/caller.ts';
import { authenticateCaller as authenticate } from '../../shared/auth/caller-resource.ts';
import type { Authenticate } from '../../shared/auth/tokens.ts';
import { queues } from '../../shared/operations/queues.ts';
import { boardUrl } from '../../shared/page/board.ts';

interface Deps {
  queues: Pick<QueueStates, 'read'>;
  /** Address of the board; undefined without one. */
  board?: string | undefined;
  authenticate: Authenticate<Caller>;
  log?: Log;
}

export function createHandler({ queues, board, ...deps }: Deps) {
  return httpFunction({ scope: 'queues:read', ...deps }, async () => {
    const states = await queues.read();
    return json(200, {
      queues: states.map(({ inFlight, bindings, polled: _, ...state }) => ({
        ...state,
        in_flight: inFlight,
        bindings: bindings.map(({ exchange, routingKey }) => ({ exchange, routing_key: routingKey })),
      })),
      // A count per source queue would require reading each dead letter, which hides it from other readers meanwhile.
      dead_letters: states.find(({ kind }) => kind === 'dead-letters')?.ready ?? null,
      board: board ?? null,
    });
  });
}

export const handler = lambda({ queues, board: boardUrl, authenticate, log }, createHandler);
