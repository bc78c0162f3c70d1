import { isDeepStrictEqual } from 'node:util';
import type { Queue, Topology } from './compile.ts';
import type { Difference } from './difference.ts';
import { type Settlement, settle } from './kept-arguments.ts';
import { listed } from './listed.ts';
import { type ManagementApi, readVersion } from './management.ts';
import { type BrokerPolicy, canRetryInQueue, exactly, policyPriority } from './queue-retry.ts';
import { hidingPolicy, readPolicies } from './retry-policies.ts';

const prefix = 'warren.limits.';

/** Limits and `overflow` of queues whose arguments cannot be changed, because the queues exist. */
export interface PlannedLimits {
  /** The topology in which such queues have the arguments that they keep. */
  topology: Topology;
  /** The settings that a policy can change, with the policy that does it. */
  lowered: LoweredQueue[];
  /** The settings that neither apply nor a policy can change. */
  kept: Difference[];
  /** Our policies that are not needed any more. */
  stale: BrokerPolicy[];
}

export interface LoweredQueue {
  queue: string;
  policy: BrokerPolicy;
  /** The policy at the broker, if there is one of this name. */
  found: BrokerPolicy | undefined;
  /** Another policy of the queue that takes precedence, so that the limit has no effect. */
  hiddenBy?: string | undefined;
}

/**
 * Compares the limits and `overflow` of a topology with the arguments of existing queues, and plans the policies that change them.
 *
 * @param vhost as a path of the API contains it.
 * @throws as `ManagementApi`.
 */
export async function planLimits(
  api: ManagementApi,
  topology: Topology,
  vhost: string,
): Promise<PlannedLimits> {
  const known = (await api.get(`queues/${vhost}?columns=name,arguments,policy`, listed())) ?? [];
  const byName = new Map(known.map((queue) => [queue.name, queue]));
  const settled = new Map<Queue, Settlement>();
  for (const queue of topology.queues) {
    const settlement = settle(queue, byName.get(queue.name)?.arguments, topology);
    if (settlement) settled.set(queue, settlement);
  }
  const limited = [...settled]
    .map(([queue, { limits }]) => ({ queue, limits }))
    .filter(({ limits }) => Object.keys(limits).length > 0);
  const canRetry = limited.length > 0 && canRetryInQueue(await readVersion(api));
  const lowered = limited.map(({ queue, limits }) => ({
    queue,
    policy: limitPolicy(queue, limits, canRetry),
  }));
  const isOurs = topology.queues.some(({ name }) => byName.get(name)?.policy?.startsWith(prefix));
  const all = lowered.length > 0 || isOurs ? await readPolicies(api, vhost) : [];
  const wanted = new Set(lowered.map(({ policy }) => policy.name));
  const names = new Set(topology.queues.map(({ name }) => prefix + name));
  return {
    topology: {
      ...topology,
      queues: topology.queues.map((queue) => {
        const kept = settled.has(queue) && byName.get(queue.name)?.arguments;
        return kept ? { ...queue, arguments: kept } : queue;
      }),
    },
    lowered: lowered.map(({ queue, policy }) => ({
      queue: queue.name,
      policy,
      found: all.find((each) => each.name === policy.name),
      hiddenBy: hidingPolicy(all, queue, policy)?.name,
    })),
    kept: [...settled.values()].flatMap(({ kept }) => kept),
    stale: all.filter(({ name }) => names.has(name) && !wanted.has(name)),
  };
}

/** Result of `applyLimits`. */
export interface AppliedLimits {
  /** Names of policies that were created, changed or deleted. */
  changed: string[];
  /** Queues whose limit has no effect, because another policy of theirs takes precedence. */
  hidden: { queue: string; policy: string }[];
}

/** Sets the policies of a plan and deletes the others of ours. A second call changes nothing. */
export async function applyLimits(
  api: ManagementApi,
  { lowered, stale }: PlannedLimits,
  vhost: string,
): Promise<AppliedLimits> {
  return {
    changed: await changePolicies(api, { wanted: lowered, stale }, vhost),
    hidden: lowered.flatMap(({ queue, hiddenBy }) =>
      hiddenBy === undefined ? [] : [{ queue, policy: hiddenBy }],
    ),
  };
}

/** Sets the policies that differ from those at the broker, and deletes the stale ones. @returns the names of all of them. */
export async function changePolicies(
  api: ManagementApi,
  policies: {
    wanted: readonly { policy: BrokerPolicy; found: BrokerPolicy | undefined }[];
    stale: readonly BrokerPolicy[];
  },
  vhost: string,
): Promise<string[]> {
  const { wanted, stale } = policies;
  const path = (name: string) => `policies/${vhost}/${encodeURIComponent(name)}`;
  const outdated = wanted.filter(({ policy, found }) => !isDeepStrictEqual(policy, found));
  for (const { policy } of outdated) {
    const { name, ...body } = policy;
    await api.put(path(name), body);
  }
  for (const { name } of stale) await api.delete(path(name));
  return [...outdated.map(({ policy }) => policy), ...stale].map(({ name }) => name);
}

/**
 * A queue has one policy, so this one contains the keys of the other of ours, over which it takes precedence. A broker refuses a
 * policy with a key that it does not know.
 */
function limitPolicy(
  { name, retryPolicy }: Queue,
  limits: Record<string, unknown>,
  canRetry: boolean,
): BrokerPolicy {
  return {
    name: prefix + name,
    pattern: exactly(name),
    definition: { ...(canRetry && retryPolicy?.definition), ...limits },
    priority: policyPriority + 1,
    'apply-to': 'queues',
  };
}
