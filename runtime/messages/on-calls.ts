import { isPublishRefused } from '../amqp/confirm-channel.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { RejectedError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import { defaultLog, type Log } from '../base/log.ts';
import { traced } from '../base/trace.ts';
import { type BodyOptions, decodeBody } from './body.ts';
import type { RabbitMQEvent } from './event.ts';
import { type Message, processing, type ReceivedMessage, readEvent } from './received.ts';
import { CallError, sendReply, toProblem } from './reply.ts';
import { sendToDeadLetters } from './republish.ts';

/** Reply code (AMQP 0-9-1, 1.1) for a message above the broker's `max_message_size`. */
const tooLarge = 406;

export interface CallsOptions<Body> extends BodyOptions<Body> {
  publisher: PublisherLike;
  /** Default: standard error. A dead letter and a failure of the method are logged as `error`. */
  log?: Log;
}

/**
 * Creates a function for RabbitMQ's event from a handler for one call. The reply goes to the default exchange with `reply_to`
 * as routing key and the caller's `correlation_id`. A call that cannot be served gets an error reply at once (type "error",
 * body problem+json, RFC 9457). It is never ignored or retried later, because the caller has a time limit.
 *
 * @param handle returns the reply: a string is sent as text, any other value as JSON. It throws CallError to answer with that
 *   error.
 * @returns the function. It throws if a reply was not confirmed, so that the call is delivered again.
 */
export function onCalls<Body>(
  options: CallsOptions<Body>,
  handle: (call: Message<Body>) => Promise<unknown>,
): (event: RabbitMQEvent) => Promise<void> {
  const { publisher, log = defaultLog() } = options;

  const answer = async (message: ReceivedMessage): Promise<void> => {
    const { replyTo, queue, messageId } = message;
    if (replyTo === undefined) {
      // Without a caller to answer, an operator has to see it.
      const error = new RejectedError('reply_to: expected the name of a queue, got none');
      await deadLetter(message, error);
      return;
    }
    const problemReply = (error: unknown) => {
      const problem = toProblem(error);
      log[problem.status >= 500 ? 'error' : 'info'](
        { queue, messageId, err: error },
        'call answered with an error',
      );
      return { type: 'error', contentType: 'application/problem+json', body: problem };
    };
    const to = { replyTo, correlationId: message.correlationId };
    const reply = await handleCall(message).catch(problemReply);
    try {
      await sendReply(publisher, to, reply).catch((error: unknown) => {
        if (!isPublishRefused(error) || error.replyCode !== tooLarge) throw error;
        return sendReply(
          publisher,
          to,
          problemReply(new CallError(500, 'The reply is too large', error.message)),
        );
      });
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      await deadLetter(message, error);
    }
  };

  const deadLetter = async (message: ReceivedMessage, error: RejectedError): Promise<void> => {
    await sendToDeadLetters(publisher, message, error);
    const { queue, messageId } = message;
    log.error({ queue, messageId, err: error }, 'call was dead-lettered');
  };

  const handleCall = async (message: ReceivedMessage) => {
    const result = await handle(await decodeBody(message, options));
    if (typeof result === 'string')
      return { contentType: 'text/plain; charset=utf-8', body: Buffer.from(result) };
    // Encoded here, so that a result that JSON cannot represent is reported to the caller.
    return { contentType: 'application/json', body: Buffer.from(stringifyJson(result)) };
  };

  return async (event) => {
    await Promise.all(
      readEvent(event).map((message) =>
        traced(
          () => processing(message),
          () => answer(message),
        ),
      ),
    );
  };
}
