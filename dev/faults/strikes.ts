import type { Fault } from './fault.ts';
import { brokerFaults } from './strikes/broker.ts';
import { dependencyFaults } from './strikes/dependencies.ts';
import { hookFaults } from './strikes/hooks.ts';
import { deadlyFaults, messageFaults } from './strikes/messages.ts';
import { processFaults } from './strikes/processes.ts';
import { retryFaults } from './strikes/retries.ts';

const all: readonly Fault[] = [
  ...processFaults,
  ...brokerFaults,
  ...dependencyFaults,
  ...messageFaults,
  ...hookFaults,
  ...retryFaults,
  ...deadlyFaults,
];

/** Names of faults that break a promise on this code; only `--faults all` and `--only` have them strike. */
export const unsolved: readonly string[] = [
  // The pools keep the sessions that were opened meanwhile, and functions fail on them for minutes.
  'database read-only',
  // A call that was delivered to the blocked process runs after its time limit.
  'a message that blocks the event loop',
  // A call for a picture failed after the clock was right again.
  "a process's clock is an hour ahead",
  'a message that kills its process twenty times',
];

/** The faults for a broker with so many nodes, with or without those that break a promise. */
export const faultsFor = (nodes: number, which: 'all' | 'solved' = 'solved'): Fault[] =>
  all.filter(({ name, nodes: least = 1 }) => nodes >= least && (which === 'all' || !unsolved.includes(name)));
