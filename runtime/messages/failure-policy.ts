import { channel } from 'node:diagnostics_channel';
import { z } from 'zod';
import { headerBytes, mostHeaderBytes } from '../amqp/header-size.ts';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { isNetworkError, RejectedError, UnavailableError, WarrenError } from '../base/errors.ts';
import { deadExchange, defaultRetryDelays, type QueueSettings, retryName } from '../topology/names.ts';
import { countOf, type ReceivedMessage } from './received.ts';

export interface FailurePolicy {
  /** Seconds before each next try, default 1, 10, 60, 600; each has a retry queue of its own. */
  delays: readonly number[];
  /** Seconds after its first failure at which a message that waits for a dependency is given up, default a day. */
  maxAge: number;
}

export const defaultFailurePolicy: FailurePolicy = { delays: defaultRetryDelays, maxAge: 86_400 };

/** By queue: the policies that are not the default. */
export type FailurePolicies = Readonly<Record<string, FailurePolicy>>;

/** The variable of the environment that tells functions their queues' policies. */
export const policiesVariable = 'WARREN_RETRY';

/**
 * The variable's text for the queues of a topology. It is the same for all functions, since a worker runs many of them
 * in one environment.
 *
 * @returns undefined where all have the default.
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
 * @throws WarrenError ERR_CONFIG where the variable holds anything else.
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
  return (Object.hasOwn(policies, queue) ? policies[queue] : undefined) ?? defaultFailurePolicy;
}

/** Where a failed message goes. */
export type Verdict =
  | { to: 'retry'; seconds: number }
  | { to: 'dead-letters'; reason: 'rejected' | 'exhausted' | 'too-old' };

/**
 * Decides what becomes of a message whose handler failed.
 *
 * - It can never work (RejectedError): the dead letters, at once.
 * - A dependency is away (UnavailableError, a network error): the delays, then the last of them until `maxAge`.
 * - Anything else: the delays, once each, then the dead letters.
 */
export function decide(error: unknown, message: ReceivedMessage, now: Date, policy: FailurePolicy): Verdict {
  if (error instanceof RejectedError) return { to: 'dead-letters', reason: 'rejected' };
  const { delays, maxAge } = policy;
  const last = delays.at(-1) ?? 0;
  if (isAway(error)) {
    const age = (now.getTime() - firstFailure(message, now).getTime()) / 1000;
    const seconds = delays[message.attempt - 1] ?? last;
    return age >= maxAge ? { to: 'dead-letters', reason: 'too-old' } : { to: 'retry', seconds };
  }
  const seconds = delays[faults(message)];
  return seconds === undefined ? { to: 'dead-letters', reason: 'exhausted' } : { to: 'retry', seconds };
}

/** What a worker is told of a message that its function has set aside. */
export interface SetAside {
  queue: string;
  to: Verdict['to'];
  /** `retry`, or why it went to the dead letters. */
  reason: string;
}

/** Node's own channels reach across bundles: each function brings a copy of this module along. */
const setAside = channel('warren:message-set-aside');

/** Says that the copy of a failed message is safe; costs nothing where nobody listens. */
export function tellSetAside(queue: string, verdict: Verdict): void {
  if (!setAside.hasSubscribers) return;
  setAside.publish({ queue, to: verdict.to, reason: verdict.to === 'retry' ? 'retry' : verdict.reason });
}

/**
 * Listens for messages that functions of this process set aside.
 *
 * @returns how to stop.
 */
export function onSetAside(listen: (message: SetAside) => void): () => void {
  const listener = (message: unknown) => listen(message as SetAside);
  setAside.subscribe(listener);
  return () => setAside.unsubscribe(listener);
}

/**
 * The copy that is published in place of a failed message. What would bite on the way moves to `x-warren-*` headers:
 * an expiration would end it in the retry queue, a user id is checked against our login, CC would deliver it elsewhere
 * too, and RabbitMQ drops a message as a cycle by its x-death. Headers that could not be sent on stay behind, and
 * `x-warren-headers-left` counts them: a copy that can't be published would come back for ever.
 */
export function failedCopy(
  message: ReceivedMessage,
  verdict: Verdict,
  error: unknown,
  now: Date,
): OutgoingMessage {
  const target =
    verdict.to === 'retry'
      ? { exchange: retryName(verdict.seconds), routingKey: message.queue }
      : { exchange: deadExchange, routingKey: message.queue };
  return {
    ...target,
    body: message.content,
    contentType: message.contentType,
    contentEncoding: message.contentEncoding,
    messageId: message.messageId,
    correlationId: message.correlationId,
    replyTo: message.replyTo,
    type: message.type,
    appId: message.appId,
    priority: message.priority,
    timestamp: message.timestamp && Math.floor(message.timestamp.getTime() / 1000),
    headers: {
      // Where nobody said it, the publisher would say the copy's own, which is the name of the queue.
      'x-routing-key': undefined,
      ...carriedHeaders(message),
      'x-warren-queue': message.queue,
      'x-warren-attempts': message.attempt,
      'x-warren-faults': faults(message) + (isAway(error) ? 0 : 1),
      'x-warren-first-failed-at': firstFailure(message, now).toISOString(),
      'x-warren-last-failed-at': now.toISOString(),
      'x-warren-error': describeError(error),
      ...(verdict.to === 'dead-letters' && { 'x-warren-reason': verdict.reason }),
    },
  };
}

/** Headers by which the broker would route, drop or count the copy, and the names under which they travel. */
const moved: Record<string, string> = {
  CC: 'x-warren-cc',
  BCC: 'x-warren-bcc',
  'x-death': 'x-warren-death',
  'x-first-death-queue': 'x-warren-first-death-queue',
  'x-first-death-reason': 'x-warren-first-death-reason',
  'x-first-death-exchange': 'x-warren-first-death-exchange',
};

/** The broker's bookkeeping for one delivery; of no use on a copy. */
const dropped = new Set([
  'x-delivery-count',
  'x-acquired-count',
  'x-last-death-queue',
  'x-last-death-reason',
  'x-last-death-exchange',
  'x-exchange',
]);

/** A header that belongs to one way a message took, and must not go with a copy of it. */
export const isBrokersHeader = (name: string): boolean => dropped.has(name) || Object.hasOwn(moved, name);

function carriedHeaders(message: ReceivedMessage): Record<string, unknown> {
  const carried: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (dropped.has(name)) continue;
    const target = Object.hasOwn(moved, name) ? moved[name] : undefined;
    if (target === undefined) carried[name] = value;
    // Only the first is worth keeping: later ones tell of our own retry queues.
    else if (!(target in message.headers)) carried[target] = value;
  }
  const origin: Record<string, unknown> = {
    'x-warren-exchange': message.exchange,
    'x-warren-routing-key': message.routingKey,
    'x-warren-expiration': message.expiration,
    'x-warren-user-id': message.userId,
  };
  for (const [name, value] of Object.entries(origin)) {
    if (value !== undefined && !(name in carried)) carried[name] = value;
  }
  return fitting(carried);
}

/** Those that fit, the smallest first. */
function fitting(headers: Record<string, unknown>): Record<string, unknown> {
  const sized = Object.entries(headers).map(([name, value]) => ({ name, bytes: headerBytes(name, value) }));
  let sum = sized.reduce((all, { bytes }) => all + bytes, 0);
  if (sum <= mostHeaderBytes) return headers;
  sum = 0;
  const kept: [string, unknown][] = [];
  for (const { name, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    sum += bytes;
    if (sum > mostHeaderBytes) break;
    kept.push([name, headers[name]]);
  }
  return { ...Object.fromEntries(kept), 'x-warren-headers-left': sized.length - kept.length };
}

function isAway(error: unknown): boolean {
  return error instanceof UnavailableError || isNetworkError(error);
}

/** Failures so far that were not a dependency's. */
function faults(message: ReceivedMessage): number {
  return countOf(message.headers['x-warren-faults']);
}

function firstFailure(message: ReceivedMessage, now: Date): Date {
  const first = new Date(String(message.headers['x-warren-first-failed-at']));
  return Number.isNaN(first.getTime()) ? now : first;
}

function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, 1000);
}
