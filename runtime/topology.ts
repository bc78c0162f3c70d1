/** The broker's side of a service: its exchanges, queues and users, and their present state. */
export { applyTopology } from './topology/apply.ts';
export { compileTopology, consumedQueues, type Topology } from './topology/compile.ts';
export {
  createQueues,
  type QueueState,
  QueueStates,
  type QueueStatesOptions,
  type Queues,
} from './topology/queue-states.ts';
export { type AppliedPolicies, applyRetryPolicies } from './topology/retry-policies.ts';
export { deployedFeed, type Feed, readSection, type Section } from './topology/schema.ts';
export { readService, readTopology, type Service, serviceTopology } from './topology/service-file.ts';
export { type BrokerUser, compileUsers } from './topology/user-rights.ts';
export { applyUsers } from './topology/users.ts';
