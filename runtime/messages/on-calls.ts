import type { z } from 'zod';
import { type PublisherLike, PublishRefusedError } from '../amqp/publisher.ts';
import { isNetworkError, RejectedError, UnavailableError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { traced } from '../base/trace.ts';
import type { RabbitMQEvent } from './event.ts';
import { failedCopy } from './failure-policy.ts';
import { decode, type Message, processing, type ReceivedMessage, readEvent } from './received.ts';

/** Header with the id of the user on whose behalf HTTP calls a method; no other client sets it. */
export const callerHeader = 'x-warren-sub';

/** Reply codes (AMQP 0-9-1, 1.1): over a reply address that the broker didn't make; over a message above its `max_message_size`. */
const [internalError, tooLarge] = [541, 406];

/** An answer that is an error: `status` and `title` as in RFC 9457, for the caller to read. */
export class CallError extends Error {
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail?: string) {
    super(detail ?? title);
    this.name = 'CallError';
    this.status = status;
    this.title = title;
  }
}

export interface CallsOptions<Body> {
  /** What a request has to look like. */
  schema: z.ZodType<Body>;
  publisher: PublisherLike;
  log?: Log;
}

/**
 * Makes a function for RabbitMQ's event out of a handler that answers one call. The reply goes to the default exchange
 * with `reply_to` as routing key and the caller's `correlation_id`. A call that can't be served gets an error reply at
 * once (type "error", body problem+json, RFC 9457), never silence and never a later try: the caller has a time limit.
 *
 * @param handle returns the reply: a string goes out as text, anything else as JSON. It throws CallError to answer with
 *   that error.
 * @returns the function; it throws when a reply was not confirmed, so that the call is delivered again.
 */
export function onCalls<Body>(
  options: CallsOptions<Body>,
  handle: (call: Message<Body>) => Promise<unknown>,
): (event: RabbitMQEvent) => Promise<void> {
  const { schema, publisher, log = silentLog } = options;

  const answer = async (message: ReceivedMessage): Promise<void> => {
    const { replyTo, queue, messageId } = message;
    // Where nobody can be told, it is an operator who has to know.
    const setAside = (error: RejectedError) =>
      publisher.publish(failedCopy(message, { to: 'dead-letters', reason: 'rejected' }, error, new Date()));
    if (replyTo === undefined) {
      await setAside(new RejectedError('reply_to: expected the name of a queue, got none'));
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
        if (!(error instanceof PublishRefusedError) || error.replyCode !== tooLarge) throw error;
        return sendReply(
          publisher,
          to,
          problemReply(new CallError(500, 'The reply is too large', error.message)),
        );
      });
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      await setAside(error);
    }
  };

  const handleCall = async (message: ReceivedMessage) => {
    const result = await handle(decode(message, schema));
    if (typeof result === 'string')
      return { contentType: 'text/plain; charset=utf-8', body: Buffer.from(result) };
    // Encoded here, so that a result that JSON can't hold is a failure that the caller is told of.
    return { contentType: 'application/json', body: Buffer.from(JSON.stringify(result ?? null)) };
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

/**
 * Answers a message to the queue that its `reply_to` names, with its `correlation_id`.
 *
 * @throws RejectedError where the broker refuses that address, otherwise as `PublisherLike.publish`; not where the queue is gone.
 */
export async function sendReply(
  publisher: PublisherLike,
  to: { replyTo: string; correlationId?: string | undefined },
  reply: { body: unknown; contentType?: string; type?: string },
): Promise<void> {
  const message = {
    exchange: '',
    routingKey: to.replyTo,
    correlationId: to.correlationId,
    type: reply.type,
    contentType: reply.contentType,
    body: reply.body,
    persistent: false,
    // A caller that has gone is no fault; and direct reply-to queues always count as unroutable.
    mandatory: false,
  };
  await publisher.publish(message).catch((cause: unknown) => {
    // RabbitMQ closes the connection over an address of direct reply-to that it didn't make, with an internal error. Any other
    // refusal is about the reply, or our rights.
    if (!(cause instanceof PublishRefusedError) || cause.replyCode !== internalError) throw cause;
    throw new RejectedError('reply_to: expected the name of a queue, got what the broker does not take', {
      cause,
    });
  });
}

function toProblem(error: unknown): { type: string; title: string; status: number; detail?: string } {
  const type = 'about:blank';
  if (error instanceof CallError)
    return { type, title: error.title, status: error.status, detail: error.message };
  if (error instanceof RejectedError) {
    return { type, title: 'The request can not be served', status: 422, detail: error.message };
  }
  if (error instanceof UnavailableError || isNetworkError(error)) {
    return { type, title: 'A part this method needs is away', status: 503 };
  }
  return { type, title: 'The method failed', status: 500 };
}
