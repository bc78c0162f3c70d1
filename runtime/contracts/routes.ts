import { WarrenError } from '../base/errors.ts';
import { consumedQueues } from '../topology/consumed-queues.ts';
import type { Service } from '../topology/service-file.ts';
import type { Contract } from './contract.ts';
import { reaches } from './key.ts';

/** A queue that gets messages of a contract, with the functions that consume it. */
export interface Reached {
  queue: string;
  functions: string[];
}

/** A contract with its place in the topology. */
export interface Route {
  contract: Contract;
  /** Type of the exchange; `default` for the default exchange. */
  type: string;
  queues: Reached[];
}

/**
 * Finds the place of each contract in the topology, which is the only source of exchanges, queues and bindings.
 *
 * @throws WarrenError ERR_TOPOLOGY that lists each contract whose exchange is not declared, or whose messages would reach no queue.
 */
export function routesOf(contracts: readonly Contract[], service: Service): Route[] {
  const routes = contracts.map((contract) => routeOf(contract, service));
  const problems = [...duplicates(contracts), ...routes.flatMap((each) => problemsOf(each, service))];
  if (problems.length === 0) return routes;
  throw new WarrenError('ERR_TOPOLOGY', `contracts do not fit the topology:\n  ${problems.join('\n  ')}`);
}

function routeOf(contract: Contract, { section, functions }: Service): Route {
  const { exchange, key } = contract;
  const type = exchange === '' ? 'default' : (section.exchanges[exchange]?.type ?? 'missing');
  const isReached = (queue: string, bindings: readonly { exchange: string; routingKey: string }[]) =>
    exchange === ''
      ? queue === key
      : bindings.some((each) => each.exchange === exchange && reaches(type, key, each.routingKey));
  const queues = Object.entries(section.queues).filter(([queue, { bindings }]) => isReached(queue, bindings));
  const consumers = Object.entries(functions).map(([name, each]) => ({
    name,
    consumed: consumedQueues({ [name]: each }),
  }));
  return {
    contract,
    type,
    queues: queues.map(([queue]) => ({
      queue,
      functions: consumers.flatMap(({ name, consumed }) => (consumed.includes(queue) ? [name] : [])),
    })),
  };
}

function problemsOf({ contract, type, queues }: Route, { section }: Service): string[] {
  const { name, exchange, key } = contract;
  if (type === 'missing') {
    const declared = Object.keys(section.exchanges).map((each) => `"${each}"`);
    const expected = declared.length > 0 ? declared.join(', ') : 'none';
    return [
      `contract "${name}": exchange "${exchange}" is not declared in custom.warren.exchanges: ${expected}`,
    ];
  }
  if (queues.length > 0) return [];
  const missing = exchange === '' ? `there is no queue "${key}"` : 'no queue is bound';
  return [`contract "${name}": ${missing} for exchange "${exchange}" and key "${key}"`];
}

function duplicates(contracts: readonly Contract[]): string[] {
  const names = contracts.map(idOf);
  const doubled = new Set(names.filter((name, at) => names.indexOf(name) !== at));
  return [...doubled].map((name) => `contract "${name}": expected a unique name and version, got it again`);
}

/** Identifies a contract in the document: its name, and its version if it has one. */
export const idOf = ({ name, type }: Contract): string => type ?? name;
