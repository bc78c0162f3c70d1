import type { Links } from '../faults/link.ts';

/** The network between one worker and its parts. */
export interface WorkerLinks {
  broker: Links;
  database: Links;
}

/**
 * The moments at which a worker is killed. A frozen network holds the work at one step, so that the kill finds messages at it:
 * committed and not published, published and not confirmed, begun and not committed, committed without the worker's knowledge.
 */
export const moments: Readonly<Record<string, (links: WorkerLinks) => void>> = {
  'at work': () => undefined,
  "broker's connections frozen": ({ broker }) => broker.freeze(),
  "broker's answers lost": ({ broker }) => broker.freezeAnswers(),
  "database's connections frozen": ({ database }) => database.freeze(),
  "database's answers lost": ({ database }) => database.freezeAnswers(),
};
