/**
 * Triggered by the queues `faults-work`, `faults-beside` and `faults-deadly`: does what its message asks for, also to its own process.
 * Each run adds a line to the harness's file.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Log,
  lambda,
  log,
  onMessages,
  type PublisherLike,
  publisher,
  RejectedError,
  UnavailableError,
} from 'warren/functions';
import { z } from 'zod';
import { gates, type RecordRun, runs } from './runs.ts';

const work = z.object({
  id: z.string(),
  does: z.enum(['work', 'exit', 'memory', 'block', 'wait', 'reject', 'hold']),
  /** Until the harness opens this gate, `wait` and `reject` fail and `hold` goes on. */
  gate: z.string().default('none'),
});

/** How long a blocked event loop stays blocked, in milliseconds: less than the broker waits for a heartbeat. */
const blockedMs = 12_000;

interface Deps {
  publisher: PublisherLike;
  record: RecordRun;
  isOpen: (gate: string) => boolean;
  log?: Log;
}

export function createHandler({ record, isOpen, ...deps }: Deps) {
  return onMessages({ schema: work, ...deps }, async ({ body: { id, does, gate } }) => {
    record(id, 'begun');
    if (does === 'exit') process.kill(process.pid, 'SIGKILL');
    if (does === 'memory') fillMemory();
    if (does === 'block') block();
    if (does === 'wait' && !isOpen(gate)) throw new UnavailableError('harness', `${gate} is not open yet`);
    if (does === 'reject' && !isOpen(gate)) throw new RejectedError(`${gate} is not open yet`);
    while (does === 'hold' && !isOpen(gate)) await pause(200);
    record(id, 'done');
  });
}

function fillMemory(): void {
  const kept: unknown[] = [];
  for (;;) kept.push(new Array(1_000_000).fill(kept.length));
}

function block(): void {
  const until = performance.now() + blockedMs;
  while (performance.now() < until);
}

export const handler = lambda({ publisher, record: runs, isOpen: gates, log }, createHandler);
