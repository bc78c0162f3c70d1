import { brokerUrls } from '../amqp/urls.ts';
import { WarrenError } from '../base/errors.ts';
import { completeDeadLetterIndex } from '../dead-letters/complete-index.ts';
import type { Progress } from '../dead-letters/take.ts';
import { applyAlternates, planAlternates } from './alternate-policies.ts';
import { applyTopology } from './apply.ts';
import type { Topology } from './compile.ts';
import { describeKept } from './kept-arguments.ts';
import { type AppliedLimits, applyLimits, planLimits } from './limit-policies.ts';
import { managementApi, vhostInPath } from './management.ts';
import { type AppliedPolicies, applyRetryPolicies } from './retry-policies.ts';

export interface PlacementOptions {
  /** AMQP URLs of the broker, separated by commas. */
  url: string;
  /** URL of the management API, with a login that may set policies. Without it, no policy is set. */
  managementUrl: string | undefined;
  /** Called while older dead letters are added to their index. */
  progress?: Progress;
}

/** A topology that is in place. */
export interface Placement {
  /** Older dead letters that were added to the index. */
  added: number;
  /** What is not as declared, although the topology works without it, and why. */
  problems: string[];
  retryPolicies: AppliedPolicies;
  /** Policies for limits and `overflow` of queues that existed before; undefined without the management API. */
  limitPolicies: AppliedLimits | undefined;
  /** Names of changed policies that add alternate exchanges to exchanges that existed before. */
  exchangePolicies: string[];
}

/**
 * Declares a topology with all that belongs to it: the index of the dead letters, and policies for what an existing queue cannot
 * change and for retries in the queue. A second call changes nothing.
 *
 * @throws as `applyTopology`; UnavailableError if the management API is unavailable while a policy is set, WarrenError
 *   ERR_BROKER_REFUSED if its login lacks the right to set policies.
 */
export async function placeTopology(topology: Topology, options: PlacementOptions): Promise<Placement> {
  const { url, managementUrl, progress } = options;
  const vhost = vhostInPath(brokerUrls(url)[0] ?? '');
  const api = managementUrl ? managementApi(managementUrl, 10_000) : undefined;
  const problems: string[] = [];
  const plans =
    api &&
    (await Promise.all([planLimits(api, topology, vhost), planAlternates(api, topology, vhost)]).catch(
      (error: unknown) => {
        // Most topologies need no such policy, and are declared over AMQP alone.
        if (!(error instanceof WarrenError) || !accessCodes.has(error.code)) throw error;
        problems.push(`limits of existing queues and alternate exchanges are not compared: ${error.message}`);
        return undefined;
      },
    ));
  const [limits, alternates] = plans ?? [];
  const declared = {
    ...(limits?.topology ?? topology),
    ...(alternates && { exchanges: alternates.exchanges }),
  };
  const index = await applyTopology(url, declared);
  const completed = await completeDeadLetterIndex(url, index, progress);
  const limitPolicies = api && limits && (await applyLimits(api, limits, vhost));
  problems.push(...(limits?.kept ?? []).map(describeKept));
  for (const { queue, policy } of limitPolicies?.hidden ?? []) {
    problems.push(
      `limits and overflow of queue "${queue}" are not changed: its policy "${policy}" takes precedence`,
    );
  }
  const exchangePolicies = api && alternates ? await applyAlternates(api, alternates, vhost) : [];
  for (const { exchange, hiddenBy } of alternates?.added ?? []) {
    if (hiddenBy === undefined) continue;
    problems.push(
      `the alternate exchange of "${exchange}" has no effect: its policy "${hiddenBy}" takes precedence`,
    );
  }
  const retryPolicies = await applyRetryPolicies(topology, { url, managementUrl });
  problems.push(...retryProblems(retryPolicies));
  return {
    added: completed.added,
    problems: [...completed.problems, ...problems],
    limitPolicies,
    exchangePolicies,
    retryPolicies,
  };
}

/** Why retries do not wait in their queue, although `retryInQueue` asks for it and the broker could do it. */
function retryProblems({ skipped, hidden }: AppliedPolicies): string[] {
  if (skipped === 'no-management')
    return ['policies for retries in the queue are not set: AMQP_MANAGEMENT_URL is missing'];
  return hidden.map(
    ({ queue, policy }) =>
      `retries of queue "${queue}" use copies: its policy "${policy}" takes precedence; add the keys of "warren.retry.${queue}" to it`,
  );
}

/** Codes of errors about the management API rather than about the topology. */
const accessCodes: ReadonlySet<string> = new Set(['ERR_UNAVAILABLE', 'ERR_BROKER_REFUSED']);
