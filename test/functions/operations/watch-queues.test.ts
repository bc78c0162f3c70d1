import { expect, it } from 'vitest';
import { createHandler } from '../../../functions/operations/watch-queues.ts';
import type { QueueState } from '../../../runtime/topology/queue-states.ts';

const state = (queue: string, given: Partial<QueueState>): QueueState => ({
  ...{ queue, kind: 'work', ready: 0, inFlight: 0, consumers: 1, bindings: [] },
  ...given,
});

it('watch-queues: writes the metrics for the alarms, and names the queues without a consumer', async () => {
  const lines: string[] = [];
  const states = [
    state('busy', { ready: 3 }),
    state('empty', { consumers: 0 }),
    state('waiting', { ready: 7, consumers: 0 }),
    state('away', { ready: null, consumers: null }),
    state('warren.retry.1s', { kind: 'retry', ready: 9, consumers: 0 }),
    state('warren.dead-letters', { kind: 'dead-letters', ready: 2, consumers: 0 }),
  ];
  const watch = createHandler({
    open: () => ({ read: async () => states, close: async () => undefined }),
    ...{ namespace: 'warren-prod', print: (line) => lines.push(line), now: () => 0 },
  });
  const measured = { DeadLetters: 2, LongestQueue: 7, WithoutConsumer: 3, Deserted: 2 };
  expect(await watch()).toEqual(measured);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ ...measured, without_consumer: ['empty', 'waiting', 'away'] }),
  ]);
});
