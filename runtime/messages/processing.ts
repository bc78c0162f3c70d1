import { SpanKind } from '@opentelemetry/api';
import {
  destinationName,
  isMeasured,
  measured,
  measureQueueTime,
  messagingAttributes,
  spanAttributes,
} from '../base/messaging.ts';
import { failSpan, isTraced, type TracedOptions, traced } from '../base/trace.ts';
import type { ReceivedMessage } from './received.ts';

/** Records an error that the work handles itself: the span and the metrics then show a failure. */
export type RecordError = (error: unknown) => void;

/**
 * Runs the work on a message in a span that continues the trace of its publisher, and measures it.
 *
 * @throws the error of `work`.
 */
export function processed<T>(
  message: ReceivedMessage,
  work: (recordError: RecordError) => Promise<T>,
): Promise<T> {
  return observed([message], () => ofMessage(message), work);
}

/** As `processed`, for work on a whole batch: its span links to the trace of each message. */
export function processedBatch<T>(
  messages: readonly ReceivedMessage[],
  work: (recordError: RecordError) => Promise<T>,
): Promise<T> {
  return observed(messages, () => ofBatch(messages), work);
}

function observed<T>(
  messages: readonly ReceivedMessage[],
  describe: () => TracedOptions,
  work: (recordError: RecordError) => Promise<T>,
): Promise<T> {
  return isObserved() ? recorded(messages, describe, work) : work(notRecorded);
}

/** Whether there are instruments or an SDK for traces: if not, `processed` only runs its work. */
export function isObserved(): boolean {
  return isMeasured() || isTraced();
}

/** Asynchronous, so that what the instruments throw is the error of this message and not of its batch. */
async function recorded<T>(
  messages: readonly ReceivedMessage[],
  describe: () => TracedOptions,
  work: (recordError: RecordError) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  const queue = messages[0]?.queue ?? '';
  measureQueueTime(queue, messages);
  return measured(
    () => ({
      operation: 'process',
      attributes: { ...messagingAttributes('process'), 'messaging.destination.name': queue },
      messages: messages.length,
    }),
    () =>
      traced(describe, (span) =>
        work((error) => {
          failure = error;
          failSpan(span, error);
        }),
      ),
    () => failure,
  );
}

/** Records no error, for work without instruments. */
export function notRecorded(): void {}

function ofMessage(message: ReceivedMessage): TracedOptions {
  const { queue, exchange, routingKey, headers } = message;
  const destination = destinationName(exchange, routingKey, queue);
  return {
    name: `process ${destination}`,
    kind: SpanKind.CONSUMER,
    from: headers,
    attributes: {
      ...spanAttributes('process'),
      'messaging.destination.name': destination,
      'messaging.destination.subscription.name': queue,
      'messaging.rabbitmq.destination.routing_key': routingKey || undefined,
      'messaging.message.id': message.messageId,
      'messaging.message.conversation_id': message.correlationId,
      'messaging.message.body.size': message.content.length,
      'warren.attempt': message.attempt,
    },
  };
}

function ofBatch(messages: readonly ReceivedMessage[]): TracedOptions {
  const { queue = '' } = messages[0] ?? {};
  return {
    name: `process ${queue}`,
    kind: SpanKind.CONSUMER,
    batch: messages.map(({ headers }) => headers),
    attributes: {
      ...spanAttributes('process'),
      'messaging.destination.name': queue,
      'messaging.destination.subscription.name': queue,
      'messaging.batch.message_count': messages.length,
    },
  };
}
