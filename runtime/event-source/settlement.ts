import { SpanKind } from '@opentelemetry/api';
import type { ConsumeMessage } from 'amqplib';
import {
  measurePoint,
  messagingAttributes,
  type Operation,
  type Server,
  spanAttributes,
} from '../base/messaging.ts';
import { pointSpan, type TracedOptions } from '../base/trace.ts';

/** The methods of AMQP that settle deliveries: done; back and counted as a delivery; back as it was. */
export type Settlement = Extract<Operation, 'ack' | 'reject' | 'nack'>;

/** The origin of settled deliveries. */
export interface Origin {
  mapping: { queue: string };
  connection: { readonly address: Server };
}

/**
 * Records that deliveries were settled. Without an SDK of OpenTelemetry it does nothing.
 *
 * @param deliveries returns them.
 */
export function recordSettlement(
  operation: Settlement,
  deliveries: () => readonly ConsumeMessage[],
  { mapping: { queue }, connection }: Origin,
): void {
  pointSpan(() => settling(operation, deliveries(), queue, connection.address));
  measurePoint(() => ({
    ...messagingAttributes(operation, connection.address),
    'messaging.destination.name': queue,
  }));
}

/** The span of one delivery is in its trace, and the span of several has a link to each of theirs. */
function settling(
  operation: Settlement,
  deliveries: readonly ConsumeMessage[],
  queue: string,
  server: Server,
): TracedOptions {
  const [only] = deliveries.length === 1 ? deliveries : [];
  const headers = deliveries.map(({ properties }) => (properties.headers ?? {}) as Record<string, unknown>);
  return {
    name: `${operation} ${queue}`,
    kind: SpanKind.CLIENT,
    ...(only ? { from: headers[0] } : { batch: headers }),
    attributes: {
      ...spanAttributes(operation, server),
      'messaging.destination.name': queue,
      'messaging.destination.subscription.name': queue,
      'messaging.batch.message_count': only ? undefined : deliveries.length,
      'messaging.message.id': only?.properties.messageId as string | undefined,
      'messaging.rabbitmq.message.delivery_tag': only?.fields.deliveryTag,
    },
  };
}
