/** The broker's side of a service: its exchanges, queues and users, and how they are now. */
export {
  applyTopology,
  compileTopology,
  consumedQueues,
  deployedFeed,
  type Feed,
  type Topology,
} from './topology/compile.ts';
export { createQueues, type QueueState, type Queues } from './topology/queue-states.ts';
export { readTopology } from './topology/service-file.ts';
export { applyUsers, compileUsers } from './topology/users.ts';
