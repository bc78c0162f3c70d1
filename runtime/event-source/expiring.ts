import type { ConsumeMessage } from 'amqplib';
import { expiresAtHeader } from '../amqp/headers.ts';
import { callerDeadline } from '../messages/expiration.ts';

/** When messages expire, in milliseconds since 1970, of those that ever do. */
const deadlines = new WeakMap<ConsumeMessage, number>();

/** Takes note of a delivery at its arrival: the broker ends no message that it has delivered. */
export function noteArrival(delivery: ConsumeMessage): void {
  const { headers = {}, expiration } = delivery.properties;
  if (expiration === undefined && headers[expiresAtHeader] === undefined) return;
  deadlines.set(delivery, callerDeadline({ headers, expiration }, Date.now()));
}

/** Whether a message will expire. */
export function expires(delivery: ConsumeMessage): boolean {
  return deadlines.has(delivery);
}

/** Whether a message has expired since its arrival, or as a copy of a failed message before it. */
export function hasExpired(delivery: ConsumeMessage): boolean {
  const deadline = deadlines.get(delivery);
  return deadline !== undefined && deadline <= Date.now();
}
