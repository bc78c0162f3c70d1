import type { Fault } from './fault.ts';
import { brokerFaults } from './strikes/broker.ts';
import { dependencyFaults } from './strikes/dependencies.ts';
import { deadlyFaults, messageFaults } from './strikes/messages.ts';
import { processFaults } from './strikes/processes.ts';

const all: readonly Fault[] = [
  ...processFaults,
  ...brokerFaults,
  ...dependencyFaults,
  ...messageFaults,
  ...deadlyFaults,
];

/** Names of faults that break a promise on this code; only `--faults all` and `--only` have them strike. */
export const unsolved: readonly string[] = [];

/** The faults for a broker with so many nodes, with or without those that break a promise. */
export const faultsFor = (nodes: number, which: 'all' | 'solved' = 'solved'): Fault[] =>
  all.filter(({ name, nodes: least = 1 }) => nodes >= least && (which === 'all' || !unsolved.includes(name)));
