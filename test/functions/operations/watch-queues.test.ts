import { expect, it } from 'vitest';
import { createHandler } from '../../../functions/operations/watch-queues.ts';
import type { QueueState } from '../../../runtime/topology/queue-states.ts';

const state = (queue: string, given: Partial<QueueState>): QueueState => ({
  queue,
  kind: 'work',
  ready: 0,
  inFlight: 0,
  retrying: 0,
  overdue: 0,
  consumers: 1,
  bindings: [],
  ...given,
});

it('watch-queues: writes the metrics for the alarms, and names the queues without a consumer or with overdue retries', async () => {
  const lines: string[] = [];
  const states = [
    state('busy', { ready: 3 }),
    state('empty', { consumers: 0 }),
    state('waiting', { ready: 7, consumers: 0 }),
    // On AWS, the consumers of the long poll come and go.
    state('polled', { consumers: 0, polled: true }),
    state('away', { ready: null, consumers: null }),
    state('full', { retrying: 9, overdue: 4 }),
    state('warren.dead-letters', { kind: 'dead-letters', ready: 2, consumers: 0 }),
  ];
  const watch = createHandler({
    open: () => ({ read: async () => states, close: async () => undefined }),
    namespace: 'warren-prod',
    print: (line) => lines.push(line),
    now: () => 0,
  });
  const measured = { DeadLetters: 2, LongestQueue: 7, Retrying: 9, WithoutConsumer: 3, Deserted: 2 };
  expect(await watch()).toEqual({ ...measured, Overdue: 4 });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({
      ...measured,
      Overdue: 4,
      without_consumer: ['empty', 'waiting', 'away'],
      overdue: ['full'],
    }),
  ]);
});

it('watch-queues: writes no metric for overdue retries if the management API does not report them', async () => {
  const watch = createHandler({
    open: () => ({
      read: async () => [state('q', { retrying: 2, overdue: null })],
      close: async () => undefined,
    }),
    namespace: 'warren-prod',
    print: () => undefined,
    now: () => 0,
  });
  expect(await watch()).toEqual({
    DeadLetters: 0,
    LongestQueue: 0,
    Retrying: 2,
    WithoutConsumer: 0,
    Deserted: 0,
  });
});
