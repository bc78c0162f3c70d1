import { randomUUID } from 'node:crypto';
import { copyMark } from '../amqp/copy-mark.ts';
import { namesLeft } from '../amqp/fitting-table.ts';
import { headerBytes, maxHeaderBytes } from '../amqp/header-size.ts';
import {
  attemptsHeader,
  copyHeader,
  errorHeader,
  expirationHeader,
  expiresAtHeader,
  faultsHeader,
  firstFailedAtHeader,
  headersLeftHeader,
  isDeliveryHeader,
  lastFailedAtHeader,
  movedHeaders,
  originExchangeHeader,
  originRoutingKeyHeader,
  queueHeader,
  reasonHeader,
  routingKeyHeader,
  userIdHeader,
} from '../amqp/headers.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { copiedProperties } from '../amqp/properties.ts';
import { thrownText } from '../base/thrown-text.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { deadExchange, retryExchange, retryQueue } from '../topology/names.ts';
import { expiryOf } from './expiration.ts';
import { faultsOf, firstFailure, type Verdict } from './failure-policy.ts';
import type { ReceivedMessage } from './received.ts';
import type { ItemFailure } from './verdicts.ts';

/**
 * The copy that is published in place of a failed message. Properties and headers that would change its delivery move to
 * `x-warren-*` headers: an expiration would end it in the retry queue, the broker compares a user id with our login, CC would
 * deliver it to other queues too, and RabbitMQ drops a message as a cycle because of its x-death. Headers that cannot be sent
 * on are dropped, and `x-warren-headers-left` names them: a copy that cannot be published would return forever. It gets a
 * message id if it has none, and an identifier of its own, so that it is known again if it is published twice.
 */
export function failedCopy(
  message: ReceivedMessage,
  verdict: Verdict,
  error: unknown,
  now: Date,
  id?: string,
): OutgoingMessage {
  return copyOf(message, { verdict, error: describeError(error), fault: !isUnavailable(error) }, now, id);
}

/** Milliseconds for which a copy waits for its confirm, because a copy that is published again may run twice. */
const patienceMs = 20_000;

/**
 * As `failedCopy`, for a failure that another process described.
 *
 * @param id of the copy, for one that was published before; default a new one.
 */
export function copyOf(
  message: ReceivedMessage,
  { verdict, error, fault }: Pick<ItemFailure, 'verdict' | 'error' | 'fault'>,
  now: Date,
  id: string = randomUUID(),
): OutgoingMessage {
  const expiresAt = expiryOf(message, now);
  return {
    ...copiedProperties(message),
    messageId: message.messageId ?? id,
    patienceMs,
    [copyMark]: true,
    ...destination(message.queue, verdict),
    body: message.content,
    timestamp: message.timestamp ? Math.floor(message.timestamp.getTime() / 1000) : null,
    headers: {
      // If the message has no such header, the publisher would add the copy's own routing key, which is the queue's name.
      [routingKeyHeader]: undefined,
      ...carriedHeaders(message),
      [copyHeader]: id,
      [queueHeader]: message.queue,
      [attemptsHeader]: message.attempt,
      [faultsHeader]: faultsOf(message) + (fault ? 1 : 0),
      [firstFailedAtHeader]: firstFailure(message, now).toISOString(),
      [lastFailedAtHeader]: now.toISOString(),
      [errorHeader]: error,
      ...(expiresAt !== undefined && { [expiresAtHeader]: expiresAt }),
      ...(verdict.to === 'dead-letters' && { [reasonHeader]: verdict.reason }),
    },
  };
}

/**
 * The copy with which a call goes back to its queue, as a new message: the broker would mark the original as redelivered, and a
 * host answers such a call with an error.
 *
 * @param copy of the message, as for a retry.
 * @param until deadline of the caller, in milliseconds since 1970, or Infinity.
 */
export function callCopy(copy: OutgoingMessage, until: number, now: Date): OutgoingMessage {
  const expiration = until === Number.POSITIVE_INFINITY ? undefined : Math.max(1, until - now.getTime());
  return { ...copy, exchange: '', expiration, persistent: false };
}

function destination(queue: string, verdict: Verdict): Pick<OutgoingMessage, 'exchange' | 'routingKey'> {
  return verdict.to === 'retry'
    ? { exchange: retryExchange, routingKey: retryQueue(queue, verdict.seconds) }
    : { exchange: deadExchange, routingKey: queue };
}

function carriedHeaders(message: ReceivedMessage): Record<string, unknown> {
  const carried: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (isDeliveryHeader(name)) continue;
    const target = Object.hasOwn(movedHeaders, name) ? movedHeaders[name] : undefined;
    if (target === undefined) carried[name] = value;
    // Only the first value is kept: later ones describe our own retry queues.
    else if (!(target in message.headers)) carried[target] = value;
  }
  const origin: Record<string, unknown> = {
    [originExchangeHeader]: message.exchange,
    [originRoutingKeyHeader]: message.routingKey,
    [expirationHeader]: message.expiration,
    [userIdHeader]: message.userId,
  };
  for (const [name, value] of Object.entries(origin)) {
    if (value !== undefined && !(name in carried)) carried[name] = value;
  }
  return fitting(carried);
}

/** The headers that fit, the smallest first. */
function fitting(headers: Record<string, unknown>): Record<string, unknown> {
  const sized = Object.entries(headers).map(([name, value]) => ({ name, bytes: headerBytes(name, value) }));
  let sum = sized.reduce((all, { bytes }) => all + bytes, 0);
  if (sum <= maxHeaderBytes) return headers;
  sum = 0;
  const kept: [string, unknown][] = [];
  const left: string[] = [];
  for (const { name, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    sum += bytes;
    if (sum > maxHeaderBytes) left.push(name);
    else kept.push([name, headers[name]]);
  }
  return { ...Object.fromEntries(kept), [headersLeftHeader]: namesLeft(left) };
}

/** Name and message of an error, cut to 1,000 characters. */
export function describeError(error: unknown): string {
  const text =
    error instanceof Error ? `${thrownText(error.name)}: ${thrownText(error.message)}` : thrownText(error);
  return text.slice(0, 1000);
}
