import { WarrenError } from '../base/errors.ts';
import type { Mapping } from './mapping.ts';

/** Minutes after which RabbitMQ closes a channel with an unacknowledged delivery (rabbitmq.com/docs/consumers, `consumer_timeout`). */
const ackLimitMinutes = 30;
/** Calls that a delivery may have to wait for: the call before it, and its own. */
const calls = 2;
const limitSeconds = (ackLimitMinutes * 60) / calls;

/** Milliseconds for which a delivery may be held, and until its call begins: the call may take as long again. */
export const holdLimits = { maxHoldMs: 25 * 60_000, callWithinMs: limitSeconds * 1000 };

/**
 * Refuses functions whose `timeout` does not fit the broker's limit for acknowledgements. A prefetched message waits for the
 * call before it; with two calls of 15 minutes the broker would requeue it, and its work would be done twice.
 *
 * @param timeoutOf returns the timeout of a function in seconds.
 * @throws WarrenError ERR_CONFIG that names each such function.
 */
export function checkTimeouts(
  mappings: readonly Pick<Mapping, 'functionName' | 'queue'>[],
  timeoutOf: (functionName: string) => number,
): void {
  const problems = mappings.flatMap(({ functionName, queue }) => {
    const timeout = timeoutOf(functionName);
    if (timeout < limitSeconds) return [];
    return [
      `functions.${functionName}: timeout: expected less than ${limitSeconds} s, because a message of queue "${queue}" can wait ` +
        `for one call before its own, and RabbitMQ requeues what is not acknowledged in ${ackLimitMinutes} minutes; got ` +
        `${timeout} s; lower the timeout, and divide longer work into several messages`,
    ];
  });
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
}
