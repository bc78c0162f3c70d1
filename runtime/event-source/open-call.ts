import type { ConsumeMessage } from 'amqplib';
import type { OutgoingMessage } from '../amqp/outgoing.ts';
import type { HostReply } from '../base/unencoded.ts';
import type { OpenAck } from './call-acks.ts';
import type { CallReplies } from './call-replies.ts';
import type { Subscription } from './subscription.ts';

export interface OpenCallOptions {
  subscription: Subscription;
  ack: OpenAck;
  /** Its key in the journal. */
  key: string | undefined;
  /** When the caller stops waiting, in milliseconds since 1970, or Infinity. */
  until: number;
  replies: CallReplies;
}

/** A call in flight. */
export class OpenCall implements HostReply {
  readonly subscription: Subscription;
  readonly delivery: ConsumeMessage;
  readonly ack: OpenAck;
  readonly key: string | undefined;
  readonly until: number;
  /** Whether its reply was sent on the channel, and is lost if the acknowledgement is. */
  isSent = false;
  readonly #replies: CallReplies;

  constructor({ subscription, ack, key, until, replies }: OpenCallOptions) {
    this.subscription = subscription;
    this.delivery = ack.delivery;
    this.ack = ack;
    this.key = key;
    this.until = until;
    this.#replies = replies;
  }

  send(publisher: object, message: OutgoingMessage): boolean {
    if (this.ack.isDone || !this.#replies.send(publisher, message)) return false;
    this.isSent = true;
    return true;
  }

  confirmed(publisher: object, message: OutgoingMessage): void {
    this.#replies.confirmed(publisher, message);
  }
}
