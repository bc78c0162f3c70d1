import type { Fault } from './fault.ts';
import { brokerFaults } from './strikes/broker.ts';
import { dependencyFaults } from './strikes/dependencies.ts';
import { hookFaults } from './strikes/hooks.ts';
import { messageFaults } from './strikes/messages.ts';
import { processFaults } from './strikes/processes.ts';
import { retryFaults } from './strikes/retries.ts';

const all: readonly Fault[] = [
  ...processFaults,
  ...brokerFaults,
  ...dependencyFaults,
  ...messageFaults,
  ...hookFaults,
  ...retryFaults,
];

/** The faults for a broker with so many nodes. */
export const faultsFor = (nodes: number): Fault[] => all.filter(({ nodes: least = 1 }) => nodes >= least);
