import { isDeepStrictEqual } from 'node:util';
import type { Topology } from './compile.ts';
import type { Difference } from './difference.ts';
import { alternateArgument } from './exchange-fields.ts';
import { changePolicies } from './limit-policies.ts';
import { listed } from './listed.ts';
import type { ManagementApi } from './management.ts';
import { type BrokerPolicy, exactly, policyPriority } from './queue-retry.ts';
import { higherPolicy, readPolicies } from './retry-policies.ts';

const prefix = 'warren.alternate.';

/** Alternate exchanges of exchanges that exist without one. An exchange keeps its arguments, and a policy can add this one. */
export interface PlannedAlternates {
  /** The exchanges, in which those that exist have the arguments that they keep. */
  exchanges: Topology['exchanges'];
  added: AddedAlternate[];
  /** Our policies that are not needed any more. */
  stale: BrokerPolicy[];
}

interface AddedAlternate {
  exchange: string;
  policy: BrokerPolicy;
  /** The policy at the broker, if there is one of this name. */
  found: BrokerPolicy | undefined;
  /** Another policy of the exchange that takes precedence, so that this one has no effect. */
  hiddenBy: string | undefined;
}

/**
 * Compares the alternate exchanges of a topology with the arguments of existing exchanges. The broker prefers an argument to a
 * policy, so a policy can add an alternate exchange, and cannot change one that an argument names.
 *
 * @param vhost as a path of the API contains it.
 * @throws as `ManagementApi`.
 */
export async function planAlternates(
  api: ManagementApi,
  { exchanges }: Topology,
  vhost: string,
): Promise<PlannedAlternates> {
  const known = (await api.get(`exchanges/${vhost}?columns=name,arguments,policy`, listed())) ?? [];
  const byName = new Map(known.map((exchange) => [exchange.name, exchange]));
  const wanted = exchanges.flatMap(({ name, arguments: declared = {} }) => {
    const { [alternateArgument]: alternate, ...others } = declared;
    const isAdded = alternate !== undefined && isDeepStrictEqual(byName.get(name)?.arguments, others);
    return isAdded ? [{ exchange: name, policy: alternatePolicy(name, alternate) }] : [];
  });
  const isOurs = exchanges.some(({ name }) => byName.get(name)?.policy?.startsWith(prefix));
  // Most topologies need none, and a login needs a right to read them.
  const all = wanted.length > 0 || isOurs ? await readPolicies(api, vhost) : [];
  const added = new Set(wanted.map(({ exchange }) => exchange));
  const ours = new Set(exchanges.map(({ name }) => prefix + name));
  return {
    exchanges: exchanges.map((each) => {
      const kept = added.has(each.name) && byName.get(each.name)?.arguments;
      return kept ? { ...each, arguments: kept } : each;
    }),
    added: wanted.map(({ exchange, policy }) => ({
      exchange,
      policy,
      found: all.find(({ name }) => name === policy.name),
      hiddenBy: higherPolicy(all, { name: exchange, targets: ['all', 'exchanges'] }, policy)?.name,
    })),
    stale: all.filter(({ name }) => ours.has(name) && !added.has(name.slice(prefix.length))),
  };
}

const alternatePolicy = (exchange: string, alternate: unknown): BrokerPolicy => ({
  name: prefix + exchange,
  pattern: exactly(exchange),
  definition: { [alternateArgument]: alternate },
  priority: policyPriority + 1,
  'apply-to': 'exchanges',
});

/** Sets the policies of a plan and deletes the others of ours. A second call changes nothing. @returns their names. */
export function applyAlternates(
  api: ManagementApi,
  { added, stale }: PlannedAlternates,
  vhost: string,
): Promise<string[]> {
  return changePolicies(api, { wanted: added, stale }, vhost);
}

/** What the policies of a plan change. */
export function alternateDifferences({ added, stale }: PlannedAlternates): Difference[] {
  const property = alternateArgument;
  return [
    ...added
      .filter(({ policy, found }) => !isDeepStrictEqual(policy, found))
      .map(({ exchange, policy, found }): Difference => {
        const [declared, before] = [policy, found].map((each) => each?.definition[property]);
        return { what: `exchange "${exchange}"`, kind: 'outdated', property, declared, found: before };
      }),
    ...stale.map(({ name, definition }): Difference => {
      return { what: `policy "${name}"`, kind: 'outdated', property, found: definition[property] };
    }),
  ];
}
