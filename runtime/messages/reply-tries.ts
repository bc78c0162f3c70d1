import { setTimeout as pause } from 'node:timers/promises';
import { isPublishRefused } from '../amqp/publish-errors.ts';
import type { PublisherLike } from '../amqp/publisher.ts';
import { isUnavailable } from '../base/unavailable.ts';
import type { HostReply } from '../base/unencoded.ts';
import { replyTooLarge } from './call-reply.ts';
import type { ReceivedMessage } from './received.ts';
import { type CallReply, publishReply, replyMessage } from './reply.ts';
import { publisherFor } from './vhost-publisher.ts';

/** Milliseconds between two tries to send a reply, and for which they go on if the call has no deadline. */
const [replyPauseMs, maxReplyMs] = [200, 10_000];
/** Reply code (AMQP 0-9-1, 1.1) for a message above the broker's `max_message_size`. */
const tooLarge = 406;

export interface ReplyOptions {
  publisher: PublisherLike;
  /** Deadline of the call in milliseconds since 1970, or Infinity. */
  until: number;
  /** The way that the host of the call offers. */
  way?: HostReply | undefined;
  /** Creates the reply for an error. */
  failed: (message: ReceivedMessage, error: unknown) => CallReply;
}

/**
 * Sends the reply to a call, by its host or with a confirm, and again while the broker does not confirm it: the call is not made
 * again. Not `async`, because most replies need one try.
 *
 * @returns undefined if the host has sent it.
 * @throws as `sendReply`, if no try was confirmed before the deadline.
 */
export function sendReplyOf(
  message: ReceivedMessage,
  reply: CallReply,
  options: ReplyOptions,
): Promise<unknown> | undefined {
  const { way } = options;
  if (!way) return sendWithConfirm(message, reply, options);
  const publisher = publisherFor(options.publisher, message);
  const { replyTo = '', correlationId } = message;
  const outgoing = replyMessage({ replyTo, correlationId }, reply);
  if (way.send(publisher, outgoing)) return undefined;
  return sendWithConfirm(message, reply, options, () => way.confirmed(publisher, outgoing));
}

function sendWithConfirm(
  message: ReceivedMessage,
  reply: CallReply,
  options: ReplyOptions,
  confirmed?: () => void,
): Promise<unknown> {
  const until = Math.min(options.until, Date.now() + maxReplyMs);
  return sendOnce(message, reply, options).then(confirmed, (error: unknown) =>
    sendAgain(message, reply, error, { ...options, until }),
  );
}

async function sendAgain(
  message: ReceivedMessage,
  first: CallReply,
  failure: unknown,
  options: ReplyOptions,
): Promise<void> {
  let error = failure;
  for (let reply = first; ; ) {
    const refused = isPublishRefused(error);
    if (isPublishRefused(error) && error.replyCode === tooLarge && reply === first) {
      reply = options.failed(message, replyTooLarge(error.message));
    } else if (refused || !isUnavailable(error) || Date.now() + replyPauseMs > options.until) throw error;
    else await pause(replyPauseMs);
    try {
      await sendOnce(message, reply, options);
      return;
    } catch (another) {
      error = another;
    }
  }
}

function sendOnce(
  message: ReceivedMessage,
  reply: CallReply,
  { publisher }: Pick<ReplyOptions, 'publisher'>,
): Promise<unknown> {
  const { replyTo = '', correlationId } = message;
  return publishReply(publisherFor(publisher, message), { replyTo, correlationId }, reply);
}
