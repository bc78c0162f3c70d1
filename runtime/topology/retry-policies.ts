import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { brokerUrls } from '../amqp/urls.ts';
import type { Queue, Topology } from './compile.ts';
import { type ManagementApi, managementApi, readVersion, vhostInPath } from './management.ts';
import { type BrokerPolicy, canRetryInQueue } from './queue-retry.ts';

/** The result of `applyRetryPolicies`. */
export interface AppliedPolicies {
  /** Why there are none: the topology or the broker has no use for them, or AMQP_MANAGEMENT_URL is not set. */
  skipped?: 'not-declared' | 'old-broker' | 'no-management';
  /** Names of policies that were created or changed. */
  changed: string[];
  /** Number of policies that were as they should be. */
  unchanged: number;
  /** Queues whose retries use copies, because another policy of theirs takes precedence. */
  hidden: { queue: string; policy: string }[];
}

interface PolicyOptions {
  /** URL of the management API, with a login that may set policies. Without it nothing is set. */
  managementUrl: string | undefined;
  /** AMQP URLs of the broker, separated by commas; the first names the vhost. */
  url: string;
}

const policies = () =>
  z.array(
    z.object({
      name: z.string(),
      pattern: z.string(),
      definition: z.record(z.string(), z.unknown()),
      priority: z.number(),
      'apply-to': z.string(),
    }),
  );

/** A policy of the topology, and its present form at the broker. */
interface Compared {
  queue: Queue;
  wanted: BrokerPolicy;
  found: BrokerPolicy | undefined;
}

/**
 * Sets the policies by which retries wait in their queue (`custom.warren.retryInQueue`). A second call changes nothing. On a
 * broker before 4.3.1 it sets none: hosts use copies there.
 *
 * @throws UnavailableError if the management API is unavailable, WarrenError ERR_BROKER_REFUSED if the login lacks the right to
 *   set policies.
 */
export async function applyRetryPolicies(
  topology: Topology,
  { managementUrl, url }: PolicyOptions,
): Promise<AppliedPolicies> {
  const none = { changed: [], unchanged: 0, hidden: [] };
  if (!topology.queues.some(({ retryPolicy }) => retryPolicy)) return { skipped: 'not-declared', ...none };
  if (!managementUrl) return { skipped: 'no-management', ...none };
  const api = managementApi(managementUrl, 10_000);
  const vhost = vhostInPath(brokerUrls(url)[0] ?? '');
  const { compared, all } = await comparePolicies(api, topology, vhost);
  if (compared.length === 0) return { skipped: 'old-broker', ...none };
  const changed = compared.filter(({ wanted, found }) => !isDeepStrictEqual(wanted, found));
  for (const { wanted } of changed) {
    const { name, ...policy } = wanted;
    await api.put(`policies/${vhost}/${encodeURIComponent(name)}`, policy);
  }
  return {
    changed: changed.map(({ wanted }) => wanted.name),
    unchanged: compared.length - changed.length,
    hidden: compared.flatMap(({ queue, wanted }) => {
      const policy = hidingPolicy(all, queue, wanted);
      return policy === undefined ? [] : [{ queue: queue.name, policy: policy.name }];
    }),
  };
}

/**
 * Compares the policies of a topology with those at the broker.
 *
 * @returns none in `compared` if the broker is older than 4.3.1.
 */
export async function comparePolicies(
  api: ManagementApi,
  topology: Topology,
  vhost: string,
): Promise<{ compared: Compared[]; all: BrokerPolicy[] }> {
  const wanted = topology.queues.filter(({ retryPolicy }) => retryPolicy !== undefined);
  if (wanted.length === 0 || !canRetryInQueue(await readVersion(api))) return { compared: [], all: [] };
  const all = await readPolicies(api, vhost);
  const compared = wanted.map((queue): Compared => {
    const policy = queue.retryPolicy as BrokerPolicy;
    return { queue, wanted: policy, found: all.find(({ name }) => name === policy.name) };
  });
  return { compared, all };
}

/** @param vhost as a path of the API contains it. */
export async function readPolicies(api: ManagementApi, vhost: string): Promise<BrokerPolicy[]> {
  return (await api.get(`policies/${vhost}`, policies())) ?? [];
}

/**
 * The policy that a queue has in place of one of ours, because of a higher priority, and that lacks our keys. A queue has one policy,
 * the one with the highest priority of those that match.
 *
 * @param all the policies of the vhost.
 */
export function hidingPolicy(
  all: readonly BrokerPolicy[],
  { name, arguments: { 'x-queue-type': type = 'classic' } }: Queue,
  policy: BrokerPolicy,
): BrokerPolicy | undefined {
  return higherPolicy(all, { name, targets: ['all', 'queues', `${String(type)}_queues`] }, policy);
}

/** The same for a queue or an exchange, given the values of `apply-to` that include it. */
export function higherPolicy(
  all: readonly BrokerPolicy[],
  { name, targets }: { name: string; targets: readonly string[] },
  { definition, priority }: BrokerPolicy,
): BrokerPolicy | undefined {
  const higher = all.filter(
    (each) => targets.includes(each['apply-to']) && each.priority > priority && matches(each.pattern, name),
  );
  const highest = Math.max(...higher.map((each) => each.priority));
  const keys = Object.entries(definition);
  return higher.find(
    (each) => each.priority === highest && keys.some(([key, value]) => each.definition[key] !== value),
  );
}

/** The broker's patterns are PCRE; one that JavaScript cannot read counts as that of another name. */
function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}
