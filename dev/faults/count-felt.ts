import type { Accepted } from './accepted.ts';
import type { Count } from './compare.ts';
import type { Struck } from './course.ts';

/** How long it takes to see a fault in what is asked for, in milliseconds. */
const after = 3000;

/** What a fault did to those who asked for something. */
export interface Felt extends Struck {
  /** Requests that were under way. */
  requests: number;
  /** Of these, how many were accepted before it was over. */
  accepted: number;
  refusals: number;
}

export function feltBy(struck: readonly Struck[], { requests, refusals }: Accepted): Felt[] {
  return struck.map((each) => {
    const { from, to } = each;
    const under = requests.filter((request) => request.from <= to + after && request.to >= from);
    return {
      ...each,
      requests: under.length,
      accepted: under.filter((request) => request.to <= to).length,
      refusals: refusals.filter((at) => at >= from && at <= to + after).length,
    };
  });
}

/** A fault without any effect proves nothing. In a cluster, work must continue while a node is unavailable. */
export function countFelt(felt: readonly Felt[], nodes: number): Count {
  const problems = felt.flatMap(
    ({ fault: { name, refuses, takesNode }, unfelt, requests, accepted, refusals }) => [
      ...(requests === 0 ? [`${name}: nothing was asked for meanwhile; more load would be felt`] : []),
      ...unfelt.map((why) => `${name}: ${why}`),
      ...(refuses && refusals === 0 ? [`${name}: nothing was refused`] : []),
      ...(takesNode && nodes > 1 && accepted === 0 ? [`${name}: nothing was accepted meanwhile`] : []),
    ],
  );
  return { what: 'faults felt', expected: felt.length, got: felt.length - problems.length, problems };
}

/** What a fault itself watched while it lasted, such as that other queues go on. */
export function countPromises(struck: readonly Struck[]): Count {
  const problems = struck.flatMap(({ fault: { name }, broken }) => broken.map((each) => `${name}: ${each}`));
  return { what: 'kept during a fault', expected: 0, got: problems.length, problems };
}
