/** The broker's side of a service: its exchanges, queues and users, and their present state. */
export { type CompletedIndex, completeDeadLetterIndex } from './dead-letters/complete-index.ts';
export type { DeadLetter } from './dead-letters/dead-letter.ts';
export {
  DeadLetterIndex,
  type DeadLetterIndexOptions,
} from './dead-letters/dead-letter-index.ts';
export {
  type DeadLetterEntriesOptions,
  type DeadLetterEntry,
  deadLetterEntries,
  NoDeadLetterIndexError,
} from './dead-letters/entries.ts';
export type {
  EntryFilter,
  EntryGroup,
  EntryRange,
  EntrySummary,
  Failure,
  Intervals,
} from './dead-letters/entry-summary.ts';
export type { DeadLetterFilter } from './dead-letters/filter.ts';
export type { SearchOptions } from './dead-letters/search-log.ts';
export { type DeadLetterKind, summarizeDeadLetters } from './dead-letters/summary.ts';
export { applyTopology } from './topology/apply.ts';
export { compileTopology, type Topology } from './topology/compile.ts';
export { consumedQueues } from './topology/consumed-queues.ts';
export type { DeclaredIndex } from './topology/dead-letter-index.ts';
export type { AppliedLimits } from './topology/limit-policies.ts';
export { type Placement, type PlacementOptions, placeTopology } from './topology/place.ts';
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
export { sharedRetryExchanges } from './topology/shared-retries.ts';
export { type BrokerUser, compileUsers } from './topology/user-rights.ts';
export { applyUsers } from './topology/users.ts';
