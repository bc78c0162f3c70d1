import type { Fault } from './fault.ts';
import { brokerFaults } from './strikes/broker.ts';
import { dependencyFaults } from './strikes/dependencies.ts';
import { processFaults } from './strikes/processes.ts';

/** The faults of every run. Each of them holds. */
export const faults: readonly Fault[] = [...processFaults, ...brokerFaults, ...dependencyFaults];

/** The faults for a broker with so many nodes. */
export const faultsFor = (nodes: number): Fault[] => faults.filter(({ nodes: least = 1 }) => nodes >= least);
