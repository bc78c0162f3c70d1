/**
 * A limit at the broker. A token is a message of the queue `texts.limit.100-60000`, and there are as many as messages may be handed to the
 * function in a period. A worker takes a token for each message and rejects it before the call, so that the broker moves it to
 * `….used`. It waits there for the period and returns. A token that was not used returns at once, such as that of a killed worker. So
 * no clocks have to agree, and no process has to publish.
 */
import type { Problem } from '../base/problems.ts';
import { limitProblems } from './rate-limit.ts';
import { problemIn, type Section } from './schema.ts';
import { type LimitQueues, limitQueues, type RateLimit } from './token-names.ts';

/** A queue with a limit. */
export interface LimitedQueue extends RateLimit, LimitQueues {
  queue: string;
}

/** The queues of a section that have a limit. */
export function limitedQueues({ queues }: Section): LimitedQueue[] {
  return Object.entries(queues).flatMap(([queue, { limit }]) =>
    limit ? [{ queue, ...limit, ...limitQueues(queue, limit) }] : [],
  );
}

/** The queues of a limit. */
export function queuesOfLimit({ queue: limitOf, tokens, used, consumers, periodMs }: LimitedQueue) {
  return [
    // A token comes back each time that a worker had no message for it.
    { name: tokens, arguments: passing(used), limitOf, isUnlimited: true },
    { name: used, arguments: { ...passing(tokens), 'x-message-ttl': periodMs }, limitOf },
    // A classic queue would not be there while its node is down, and no worker could begin.
    { name: consumers, arguments: { 'x-queue-type': 'quorum', 'x-max-length': 0 }, limitOf },
  ];
}

/** Arguments of a queue that passes what is rejected or expires to another one. */
const passing = (queue: string): Record<string, unknown> => ({
  'x-queue-type': 'quorum',
  'x-dead-letter-exchange': '',
  'x-dead-letter-routing-key': queue,
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
});

/** The problems of the queues with limits. */
export function tokenProblems(section: Section): Problem[] {
  const { queues } = section;
  return [
    ...Object.entries(queues).flatMap(([queue, own]) =>
      limitProblems(queue, own).map((text) => problemIn('queues', queue, text)),
    ),
    ...limitedQueues(section).flatMap(({ queue, tokens, used, consumers }) =>
      [tokens, used, consumers]
        .filter((name) => Object.hasOwn(queues, name))
        .map((name) =>
          problemIn('queues', name, `"${name}" has the name of a queue for the limit of queue "${queue}"`),
        ),
    ),
  ];
}
