import type { Topology } from '../../runtime/topology/compile.ts';
import { projectFile } from '../stack/project.ts';

/** A promise of `limit` that is broken on purpose. */
export interface Break {
  /** The counts that have to notice, all of them. */
  noticedBy: readonly string[];
  /** Changes what is declared at the broker. */
  topology?: (topology: Topology) => Topology;
  /** A module that workers load first. */
  preload?: string;
}

const early = 'messages before the limit allows them';

/** Changes the time for which a used token waits. */
const waiting =
  (factor: number) =>
  (topology: Topology): Topology => ({
    ...topology,
    queues: topology.queues.map((queue) => {
      const ms = queue.arguments['x-message-ttl'];
      if (queue.limitOf === undefined || typeof ms !== 'number') return queue;
      return { ...queue, arguments: { ...queue.arguments, 'x-message-ttl': Math.round(ms * factor) } };
    }),
  });

export const breaks: Readonly<Record<string, Break>> = {
  'short-wait': { noticedBy: [early], topology: waiting(0.5) },
  'long-wait': { noticedBy: ['rate, of that of the limit'], topology: waiting(1.5) },
  'surplus-tokens': {
    noticedBy: [early, 'tokens'],
    topology: ({ limited = [], ...topology }) => ({
      ...topology,
      limited: limited.map((limit) => ({ ...limit, count: limit.count * 2 })),
    }),
  },
  'unused-tokens': { noticedBy: [early], preload: projectFile('dev/limits/break/unused-tokens.ts') },
  'lost-tokens': {
    noticedBy: ['messages done', 'tokens'],
    topology: (topology) => ({
      ...topology,
      queues: topology.queues.map((queue) => {
        if (queue.limitOf === undefined || queue.arguments['x-message-ttl'] === undefined) return queue;
        return { ...queue, arguments: { ...queue.arguments, 'x-dead-letter-routing-key': 'nowhere' } };
      }),
    }),
  },
};
