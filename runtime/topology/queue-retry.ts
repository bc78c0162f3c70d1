/**
 * Retries that wait in their queue itself. From RabbitMQ 4.3.1 on, a policy lets a quorum queue keep a message back that a
 * consumer returned by `basic.nack`, which counts neither towards its delivery limit nor as a copy. Its broker counts
 * `x-acquired-count` for every delivery that ended without an acknowledgement, and `x-delivery-count` only for those that were
 * rejected or lost their channel, so their difference is the number of such returns. A delivery that it takes back from a canceled
 * consumer, which has not seen it, is among them: rarely, a message has one short retry less.
 */
import type { QueueSettings } from './names.ts';

/** Longer delays use retry queues: a message that waits in its queue counts towards the queue's length. */
const maxSeconds = 60;

/**
 * The number of retries that can wait in the queue: the first delays, as long as they are the same. The broker multiplies the
 * shortest delay by the deliveries that failed, and a policy with one value as minimum and maximum keeps it constant.
 *
 * @param delays seconds before each retry.
 */
export function queueRetries(delays: readonly number[]): number {
  const [first = Number.POSITIVE_INFINITY] = delays;
  if (first > maxSeconds) return 0;
  const other = delays.findIndex((delay) => delay !== first);
  return other < 0 ? delays.length : other;
}

/**
 * Whether a broker accepts the policy.
 *
 * @param version such as `4.3.1`.
 */
export function canRetryInQueue(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return major !== 4 ? major > 4 : minor !== 3 ? minor > 3 : patch >= 1;
}

/** A policy of the broker, as its management API takes it. */
export interface BrokerPolicy {
  /** Name of the policy. */
  name: string;
  pattern: string;
  definition: Readonly<Record<string, unknown>>;
  priority: number;
  'apply-to': string;
}

/** Below the 0 of a policy without a priority: a queue has one policy, and an operator's own takes precedence. */
export const policyPriority = -10;

/** The policy of a queue; undefined if none of its retries can wait in the queue, such as those of `kind: rpc`. */
export function retryPolicy(queue: string, settings: QueueSettings | undefined): BrokerPolicy | undefined {
  const { kind, retryDelays = [] } = settings ?? {};
  if (kind !== 'work' || queueRetries(retryDelays) === 0) return undefined;
  const ms = (retryDelays[0] as number) * 1000;
  return {
    name: `warren.retry.${queue}`,
    pattern: exactly(queue),
    definition: { 'delayed-retry-type': 'returned', 'delayed-retry-min': ms, 'delayed-retry-max': ms },
    priority: policyPriority,
    'apply-to': 'quorum_queues',
  };
}

/** The pattern of a policy for one queue. */
export const exactly = (queue: string): string => `^${queue.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
