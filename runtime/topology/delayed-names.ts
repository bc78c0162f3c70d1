/** Which exchanges and queues of serverless.yml get delayed messages. */
import type { Problem } from '../base/problems.ts';
import { delayAddress, delayEntry } from './delay-names.ts';
import { maxNameBytes } from './names.ts';
import { problemIn, type Section } from './schema.ts';

/** Names that become too long, and queues that cannot have delayed messages. */
export function delayProblems({ exchanges, queues }: Section): Problem[] {
  const problems = (kind: 'exchanges' | 'queues', name: string, address: string): Problem[] => {
    const entry = delayEntry(address);
    const bytes = Buffer.byteLength(entry);
    if (bytes <= maxNameBytes) return [];
    const text = `exchange "${entry}" for its delayed messages: expected a name of at most ${maxNameBytes} bytes, got ${bytes}`;
    return [problemIn(kind, name, text)];
  };
  return [
    ...delayedNames(exchanges).flatMap((name) => problems('exchanges', name, delayAddress(name, ''))),
    ...delayedNames(queues).flatMap((name) => problems('queues', name, delayAddress('', name))),
    ...delayedNames(queues)
      .filter((name) => queues[name]?.kind !== 'work')
      .map((name) => problemIn('queues', name, `queue "${name}": delays: expected no value for kind rpc`)),
  ];
}

/** The addresses that get delayed messages. */
export function delayedAddresses({ exchanges, queues }: Section): string[] {
  return [
    ...delayedNames(exchanges).map((name) => delayAddress(name, '')),
    ...delayedNames(queues).map((name) => delayAddress('', name)),
  ];
}

/** Names of the exchanges or queues that get delayed messages. */
export const delayedNames = (declared: Readonly<Record<string, { delays: boolean }>>): string[] =>
  Object.keys(declared).filter((name) => declared[name]?.delays);
