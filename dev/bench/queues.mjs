import { compileTopology } from '../../runtime/topology/compile.ts';

/** A queue's arguments: those of our work queues, or of a plain classic one. */
export function queueArguments(kind, queue) {
  if (kind === 'classic') return { 'x-queue-type': 'classic' };
  return compileTopology({ queues: { [queue]: {} } }).queues.find(({ name }) => name === queue).arguments;
}
