import type { OutgoingMessage } from '../amqp/outgoing.ts';
import { isPublishRefused } from '../amqp/publish-errors.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError, WarrenError } from '../base/errors.ts';

/** Reply code (AMQP 0-9-1, 1.1) for an address of direct reply-to that the broker did not create. */
const internalError = 541;

/** An error for the caller of a method, with `status` and `title` as in RFC 9457. */
export class CallError extends WarrenError {
  override name = 'CallError';
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail?: string) {
    super('ERR_CALL', detail ?? title);
    this.status = status;
    this.title = title;
  }
}

/** The answer to a call. */
export interface CallReply {
  body: unknown;
  contentType?: string;
  /** `error` if the body is a problem (RFC 9457). */
  type?: string;
}

/**
 * Sends an answer to the queue that a message's `reply_to` names, with its `correlation_id`. A queue that no longer exists is
 * no error.
 *
 * @throws RejectedError if the broker refuses that address, otherwise as `PublisherLike.publish`.
 */
export async function sendReply(
  publisher: PublisherLike,
  to: { replyTo: string; correlationId?: string | undefined },
  reply: CallReply,
): Promise<void> {
  await publishReply(publisher, replyMessage(to, reply));
}

/** Publishes the message of an answer as `sendReply`, with one promise besides that of the publisher. */
export function publishReply(publisher: PublisherLike, reply: OutgoingMessage): Promise<unknown> {
  return publisher.publish(reply).then(undefined, (cause: unknown) => {
    // RabbitMQ closes the connection with an internal error for an address of direct reply-to that it did not create. Any other
    // refusal concerns the reply or our rights.
    if (!isPublishRefused(cause) || cause.replyCode !== internalError) throw cause;
    throw new RejectedError('reply_to: expected the name of a queue, got what the broker does not take', {
      cause,
    });
  });
}

/** The message that carries an answer. */
export function replyMessage(
  to: { replyTo: string; correlationId?: string | undefined },
  reply: CallReply,
): OutgoingMessage {
  return {
    exchange: '',
    routingKey: to.replyTo,
    correlationId: to.correlationId,
    type: reply.type,
    contentType: reply.contentType,
    body: reply.body,
    persistent: false,
    // The caller may have gone, which is no error, and direct reply-to queues always count as unroutable.
    mandatory: false,
  };
}
