import * as z from 'zod';
import { WarrenError } from '../base/errors.ts';
import type { QueueSettings } from '../topology/names.ts';
import { defaultFailurePolicy, type FailurePolicy } from './failure-policy.ts';

/** The policies that differ from the default, by queue. */
export type FailurePolicies = Readonly<Record<string, FailurePolicy>>;

/** The environment variable with the policies of a function's queues. */
export const policiesVariable = 'WARREN_RETRY';

/**
 * The variable's text for the queues of a topology. It is the same for all functions, because a worker runs many of them in
 * one environment.
 *
 * @returns undefined if all queues have the default.
 */
export function policiesText(settings: Readonly<Record<string, QueueSettings>>): string | undefined {
  const { delays, maxAge } = defaultFailurePolicy;
  const own = Object.entries(settings).filter(
    ([, each]) => each.maxAge !== maxAge || each.retryDelays.join() !== delays.join(),
  );
  if (own.length === 0) return undefined;
  return JSON.stringify(
    Object.fromEntries(
      own.map(([queue, each]) => [queue, { delays: each.retryDelays, maxAge: each.maxAge }]),
    ),
  );
}

const policies = () =>
  z.record(
    z.string(),
    z.object({ delays: z.array(z.number().positive()).min(1), maxAge: z.number().positive() }),
  );

/**
 * Reads the policies that the plugin put into the environment.
 *
 * @throws WarrenError ERR_CONFIG if the variable contains anything else.
 */
export function readPolicies(env: Record<string, string | undefined> = process.env): FailurePolicies {
  const text = env[policiesVariable];
  if (!text) return {};
  try {
    return policies().parse(JSON.parse(text));
  } catch (cause) {
    const expected = 'expected JSON: {"<queue>": {"delays": [seconds], "maxAge": seconds}}';
    throw new WarrenError('ERR_CONFIG', `${policiesVariable}: ${expected}`, { cause });
  }
}

/** The policy of a queue: its own, or else the default. */
export function policyOf(queue: string, policies: FailurePolicies = readPolicies()): FailurePolicy {
  return ownPolicy(queue, policies) ?? defaultFailurePolicy;
}

/** The policy of a queue that has its own; undefined if it has none. */
export function ownPolicy(queue: string, policies: FailurePolicies): FailurePolicy | undefined {
  return Object.hasOwn(policies, queue) ? policies[queue] : undefined;
}
