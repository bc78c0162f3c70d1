import type { Channel, ConsumeMessage } from 'amqplib';
import { attemptsHeader, faultsHeader, firstFailedAtHeader } from '../amqp/headers.ts';
import type { Log } from '../base/log.ts';
import { recordFailure } from '../messages/failure-events.ts';
import { firstFailure } from '../messages/failure-policy.ts';
import { policyOf } from '../messages/policies.ts';
import { countOf } from '../messages/received.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { partitionDeliveryLimit } from '../topology/order.ts';
import { canRetryInQueue, queueRetries } from '../topology/queue-retry.ts';
import type { Acknowledger } from './acknowledger.ts';
import { keyOf } from './known-copies.ts';
import type { Mapping } from './mapping.ts';

/** Returned messages that are remembered until they come back. */
const maxReturned = 1000;
/** Milliseconds for which copies are used after a message came back too early. */
const distrustMs = 600_000;

/** Part of the limit for deliveries. Beyond it, a message of a partition has calls of its own. */
const suspectPart = 0.04;

type Headers = Record<string, unknown>;

/**
 * The retries that wait in the queue of a mapping, without a copy. The broker counts the returns of a message, so that no
 * message waits there more often than its delays allow, whichever host returned it. A queue without the policy returns it at
 * once: its retry is then early, and the next one is a copy. A host that sees this uses copies for ten minutes.
 */
export class QueueDelay {
  readonly #mapping: Mapping;
  readonly #log: Log;
  readonly #retries: number;
  readonly #seconds: number;
  /** By message, when it was returned. */
  readonly #returned = new Map<string, number>();
  #distrustedUntil = 0;

  constructor(mapping: Mapping, log: Log) {
    const { kind = 'work', retryInQueue = false, policy = policyOf(mapping.queue) } = mapping;
    this.#mapping = mapping;
    this.#log = log;
    this.#retries = retryInQueue && kind === 'work' ? queueRetries(policy.delays) : 0;
    this.#seconds = policy.delays[0] ?? 0;
  }

  /** Returns a delivery that no call has reached, without a delay. */
  giveBack(acknowledger: Acknowledger, delivery: ConsumeMessage): void {
    // The policy delays what `basic.nack` returns.
    if (this.#retries > 0) acknowledger.reject(delivery);
    else acknowledger.putBack(delivery);
  }

  /**
   * Takes note of a delivery. Attempts and failures that the broker has counted are added to its headers, as a copy would have
   * them.
   */
  received(delivery: ConsumeMessage): void {
    const returns = this.#returnsOf(delivery);
    if (returns === 0) return;
    const headers = delivery.properties.headers as Headers;
    const first = new Date(Date.now() - returns * this.#seconds * 1000);
    headers[attemptsHeader] = countOf(headers[attemptsHeader]) + returns;
    headers[faultsHeader] = countOf(headers[faultsHeader]) + returns;
    headers[firstFailedAtHeader] = firstFailure({ headers }, first).toISOString();
    const key = keyOf(delivery);
    const at = this.#returned.get(key);
    if (at === undefined) return;
    this.#returned.delete(key);
    const ms = performance.now() - at;
    // The clocks of the broker and of this process may run differently.
    if (ms < this.#seconds * 900) this.#distrust(ms);
  }

  /** Whether a delivery before this one ended without a verdict, so that the message may have ended its function. */
  readonly isSuspect = (delivery: ConsumeMessage): boolean => {
    const { fields, properties } = delivery;
    if (!fields.redelivered) return false;
    if (this.#mapping.order) return isSuspectInPartition(this.#mapping.order, properties);
    const returns = this.#returnsOf(delivery);
    return returns === 0 || countOf(properties.headers?.['x-acquired-count']) > returns;
  };

  /**
   * Returns a failed message to its queue for its retry.
   *
   * @returns false if a copy has to be published instead.
   */
  retry(
    { channel, acknowledger }: { channel: Channel; acknowledger: Acknowledger },
    delivery: ConsumeMessage,
    { verdict }: ItemFailure,
  ): boolean {
    if (verdict.to !== 'retry' || verdict.seconds !== this.#seconds) return false;
    const attempt = countOf(delivery.properties.headers?.[attemptsHeader]) + 1;
    if (attempt > this.#retries || performance.now() < this.#distrustedUntil) return false;
    if (!canRetryInQueue(channel.connection.serverProperties.version)) return false;
    if (!acknowledger.putBack(delivery)) return false;
    this.#returned.set(keyOf(delivery, attempt), performance.now());
    if (this.#returned.size > maxReturned) this.#forgetOldest();
    recordFailure(this.#mapping.queue, verdict);
    return true;
  }

  /** RabbitMQ 4.3 and later count deliveries that ended by `basic.nack`, and among them those that failed. */
  #returnsOf({ fields, properties }: ConsumeMessage): number {
    if (this.#retries === 0 || !fields.redelivered) return 0;
    const headers = properties.headers as Headers | undefined;
    const returns = countOf(headers?.['x-acquired-count']) - countOf(headers?.['x-delivery-count']);
    return Math.max(0, Math.min(returns, this.#retries));
  }

  #forgetOldest(): void {
    const [oldest] = this.#returned.keys();
    if (oldest !== undefined) this.#returned.delete(oldest);
  }

  #distrust(ms: number): void {
    const { queue } = this.#mapping;
    this.#distrustedUntil = performance.now() + distrustMs;
    const fields = { queue, ms: Math.round(ms), expectedMs: this.#seconds * 1000 };
    this.#log.warn(fields, 'the queue returned a message too early: run warren topology apply; using copies');
  }
}

/**
 * Workers hand a partition over with all that they hold of it, so few of the messages that come again had a call. One that ends its worker
 * each time has calls of its own long before its limit.
 */
function isSuspectInPartition(
  { deliveryLimit = partitionDeliveryLimit }: NonNullable<Mapping['order']>,
  { headers }: ConsumeMessage['properties'],
): boolean {
  return countOf(headers?.['x-delivery-count']) > suspectPart * deliveryLimit;
}
