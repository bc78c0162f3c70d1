import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { limitArguments } from './broker-settings.ts';
import type { Queue, Topology } from './compile.ts';
import { type ManagementApi, readVersion } from './management.ts';
import { deadLetters } from './names.ts';
import { type BrokerPolicy, canRetryInQueue, exactly, policyPriority } from './queue-retry.ts';
import { hidingPolicy, readPolicies } from './retry-policies.ts';

const prefix = 'warren.limits.';

/** Limits of queues whose arguments cannot be changed, because the queues exist. */
export interface PlannedLimits {
  /** The topology in which such queues have the arguments that they keep. */
  topology: Topology;
  /** The limits that are lower than those arguments, with the policy that sets them. */
  lowered: LoweredQueue[];
  /** Our policies that are not needed any more. */
  stale: string[];
}

export interface LoweredQueue {
  queue: string;
  policy: BrokerPolicy;
  /** The policy at the broker, if there is one of this name. */
  found: BrokerPolicy | undefined;
  /** Another policy of the queue that takes precedence, so that the limit has no effect. */
  hiddenBy?: string | undefined;
}

const queueList = () =>
  z.array(
    z.object({
      name: z.string(),
      arguments: z.record(z.string(), z.unknown()).default({}),
      policy: z.string().nullish(),
    }),
  );

/**
 * Compares the limits of a topology with the arguments of existing queues. RabbitMQ applies the lower one of an argument and a
 * policy, so a policy can lower a limit or add one, and cannot raise it.
 *
 * @param vhost as a path of the API contains it.
 * @throws as `ManagementApi`.
 */
export async function planLimits(
  api: ManagementApi,
  topology: Topology,
  vhost: string,
): Promise<PlannedLimits> {
  const known = (await api.get(`queues/${vhost}?columns=name,arguments,policy`, queueList())) ?? [];
  const byName = new Map(known.map((queue) => [queue.name, queue]));
  const limited = topology.queues.flatMap((queue) => {
    const limits = lowerLimits(queue, byName.get(queue.name)?.arguments);
    return limits ? [{ queue, limits }] : [];
  });
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
        const kept = lowered.some((each) => each.queue === queue) && byName.get(queue.name)?.arguments;
        return kept ? { ...queue, arguments: kept } : queue;
      }),
    },
    lowered: lowered.map(({ queue, policy }) => ({
      queue: queue.name,
      policy,
      found: all.find((each) => each.name === policy.name),
      hiddenBy: hidingPolicy(all, queue, policy)?.name,
    })),
    stale: all.map(({ name }) => name).filter((name) => names.has(name) && !wanted.has(name)),
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
  const path = (name: string) => `policies/${vhost}/${encodeURIComponent(name)}`;
  const outdated = lowered.filter(({ policy, found }) => !isDeepStrictEqual(policy, found));
  for (const { policy } of outdated) {
    const { name, ...body } = policy;
    await api.put(path(name), body);
  }
  for (const name of stale) await api.delete(path(name));
  return {
    changed: [...outdated.map(({ policy }) => policy.name), ...stale],
    hidden: lowered.flatMap(({ queue, hiddenBy }) =>
      hiddenBy === undefined ? [] : [{ queue, policy: hiddenBy }],
    ),
  };
}

/** The limits that a policy has to lower; undefined if there are none, or if the queue differs in another way too. */
function lowerLimits(
  { name, arguments: declared }: Queue,
  found: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> | undefined {
  if (found === undefined || name === deadLetters) return undefined;
  const different = [...new Set([...Object.keys(declared), ...Object.keys(found)])].filter(
    (key) => !isDeepStrictEqual(declared[key], found[key]),
  );
  const isLower = (key: string) =>
    limitArguments.includes(key) &&
    declared[key] !== undefined &&
    (found[key] === undefined || Number(declared[key]) < Number(found[key]));
  if (different.length === 0 || !different.every(isLower)) return undefined;
  return Object.fromEntries(different.map((key) => [key.slice('x-'.length), declared[key]]));
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
