import { setTimeout as pause } from 'node:timers/promises';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
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
  const publisher = publisherFor(options.publisher, message);
  const outgoing = answerTo(message, reply);
  if (way?.send(publisher, outgoing)) return undefined;
  const until = Math.min(options.until, Date.now() + maxReplyMs);
  return publishReply(publisher, outgoing).then(
    () => way?.confirmed(publisher, outgoing),
    (error: unknown) => sendAgain(message, reply, error, { ...options, publisher, until }),
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
      await publishReply(options.publisher, answerTo(message, reply));
      return;
    } catch (another) {
      error = another;
    }
  }
}

function answerTo({ replyTo = '', correlationId }: ReceivedMessage, reply: CallReply): OutgoingMessage {
  return replyMessage({ replyTo, correlationId }, reply);
}
