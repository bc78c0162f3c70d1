import { SpanKind } from '@opentelemetry/api';
import { UnroutableError } from '../base/errors.ts';
import {
  destinationName,
  measured,
  messagingAttributes,
  type Server,
  spanAttributes,
} from '../base/messaging.ts';
import { type TracedOptions, traced } from '../base/trace.ts';
import { areClientsObserved, type PublishOutcome, reportClient } from './client-events.ts';
import type { OutgoingMessage } from './outgoing.ts';
import { isPublishRefused } from './publish-errors.ts';

/**
 * Publishes a message in a span, measures it, and reports its outcome. Without an SDK and without a listener it only publishes.
 *
 * @param success outcome of a publish that did not throw.
 * @throws the error of `publish`.
 */
export function observedPublish(
  message: OutgoingMessage,
  messageId: string,
  server: Server,
  publish: () => Promise<void>,
  success: PublishOutcome = 'confirmed',
): Promise<void> {
  const inSpan = () => traced(() => sending(message, messageId, server), publish);
  const inAll = () => measured(() => sendingMetric(message, server), inSpan);
  return areClientsObserved() ? reported(message, inAll, success) : inAll();
}

async function reported(
  { exchange, routingKey }: OutgoingMessage,
  publish: () => Promise<void>,
  success: PublishOutcome,
): Promise<void> {
  const startedAt = performance.now();
  const to = destinationName(exchange, routingKey);
  const report = (outcome: PublishOutcome) =>
    reportClient({ kind: 'published', outcome, ms: performance.now() - startedAt, to });
  try {
    await publish();
    report(success);
  } catch (error) {
    const refused = isPublishRefused(error) ? 'refused' : 'unconfirmed';
    report(error instanceof UnroutableError ? 'returned' : refused);
    throw error;
  }
}

/** The span of a publish, by OpenTelemetry's conventions for messaging. */
function sending(
  { exchange, routingKey, correlationId }: OutgoingMessage,
  messageId: string,
  server: Server,
): TracedOptions {
  const destination = destinationName(exchange, routingKey);
  const anonymous = isAnonymous(exchange, routingKey);
  return {
    name: anonymous ? 'publish' : `publish ${destination}`,
    kind: SpanKind.PRODUCER,
    attributes: {
      ...spanAttributes('publish', server),
      'messaging.destination.name': destination,
      ...(anonymous && { 'messaging.destination.anonymous': true, 'messaging.destination.temporary': true }),
      'messaging.rabbitmq.destination.routing_key': routingKey || undefined,
      'messaging.message.id': messageId,
      'messaging.message.conversation_id': correlationId,
    },
  };
}

/** The attributes of a publish in metrics. Routing keys are left out, because they may contain ids. */
function sendingMetric({ exchange, routingKey }: OutgoingMessage, server: Server) {
  const destination =
    exchange || (isAnonymous(exchange, routingKey) ? undefined : routingKey || 'amq.default');
  const attributes = {
    ...messagingAttributes('publish', server),
    ...(destination !== undefined && { 'messaging.destination.name': destination }),
  };
  return { operation: 'publish', attributes, messages: 1 } as const;
}

/** Whether a message goes to a queue that the broker named, such as a caller's queue for replies. */
function isAnonymous(exchange: string, routingKey: string): boolean {
  return exchange === '' && /^amq\.(gen-|rabbitmq\.reply-to)/.test(routingKey);
}
