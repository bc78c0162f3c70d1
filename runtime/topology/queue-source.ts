import type { Problem } from '../base/problems.ts';
import { problemIn, type Section } from './schema.ts';

/** The queues whose functions the long poll feeds on AWS, whatever feeds those of the other queues. */
export const polledQueues = ({ queues }: Pick<Section, 'queues'>): string[] =>
  Object.keys(queues).filter((queue) => queues[queue]?.source === 'adapter');

/** Settings that contradict the `source` of a queue. */
export function sourceProblems(section: Section): Problem[] {
  const { queues, longPoll } = section;
  return polledQueues(section).flatMap((queue) => {
    const wrong = (text: string) => problemIn('queues', queue, `queue "${queue}": source: ${text}`);
    return [
      // A caller of RPC does not wait for a schedule.
      ...(queues[queue]?.kind === 'rpc' ? [wrong('expected no value for kind rpc, got adapter')] : []),
      ...(longPoll ? [] : [wrong('expected custom.warren.longPoll beside it, got none')]),
      ...(longPoll?.queues && !longPoll.queues.includes(queue)
        ? [wrong('expected the queue among those of longPoll, got adapter')]
        : []),
    ];
  });
}
