import { compileTopology } from '../../runtime/topology/compile.ts';
import { readSection } from '../../runtime/topology/schema.ts';

/** A queue's arguments: those of our work queues, or of a plain classic one. */
export function queueArguments(kind, queue) {
  if (kind === 'classic') return { 'x-queue-type': 'classic' };
  return compileTopology(readSection({ queues: { [queue]: {} } })).queues.find(({ name }) => name === queue)
    .arguments;
}
