import type { ConsumeMessage } from 'amqplib';
import {
  attemptsHeader,
  errorHeader,
  faultsHeader,
  firstFailedAtHeader,
  lastFailedAtHeader,
} from '../../amqp/headers.ts';
import { firstFailure, type Verdict } from '../../messages/failure-policy.ts';
import { countOf } from '../../messages/received.ts';
import type { ItemFailure } from '../../messages/verdicts.ts';
import { partitionDeliveryLimit } from '../../topology/order.ts';
import type { Mapping } from '../mapping.ts';

/** Adds to a message in hand what a copy of it would carry, so that its next call counts its failures. */
export function noteFailure({ properties }: ConsumeMessage, { error, fault }: ItemFailure): void {
  const headers: Record<string, unknown> = properties.headers ?? {};
  properties.headers = headers;
  const now = new Date();
  headers[attemptsHeader] = countOf(headers[attemptsHeader]) + 1;
  headers[faultsHeader] = countOf(headers[faultsHeader]) + (fault ? 1 : 0);
  headers[firstFailedAtHeader] = firstFailure({ headers }, now).toISOString();
  headers[lastFailedAtHeader] = now.toISOString();
  headers[errorHeader] = error;
}

/**
 * The verdict about a failed message, which is dead-lettered if the broker is about to do that. It would take those along that have
 * waited behind the message from the beginning, because it has counted as many deliveries of them.
 */
export function verdictAtLimit(
  { order }: Mapping,
  { properties }: ConsumeMessage,
  { verdict, fault }: ItemFailure,
): Verdict {
  const { deliveryLimit = partitionDeliveryLimit } = order ?? {};
  const isNear = countOf(properties.headers?.['x-delivery-count']) >= 0.9 * deliveryLimit;
  if (!isNear || verdict.to === 'dead-letters') return verdict;
  return { to: 'dead-letters', reason: fault ? 'exhausted' : 'too-old' };
}
