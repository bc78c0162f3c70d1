import { randomUUID } from 'node:crypto';
import { type Channel, IllegalOperationError } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { type loginOf, SameLogin } from '../amqp/login.ts';
import { observedPublish } from '../amqp/observed-publish.ts';
import { type OutgoingMessage, properties } from '../amqp/outgoing.ts';
import { takeTexts } from '../amqp/raw-texts.ts';
import { UnavailableError } from '../base/errors.ts';
import { untraced } from '../base/trace.ts';

/**
 * The names that the broker gives to queues: such a queue is the caller's own, and ends with its connection. Any other one may be
 * durable or full, and is worth a confirm. An address of direct reply-to (`amq.rabbitmq.reply-to.`) closes the connection (541) before 4.3
 * once the node of its caller is down.
 */
const temporary = /^amq\.gen-/;
/** Bytes of a reply, at most. A larger one is seldom, and the confirm is little of its time. */
const maxBytes = 65_536;
const maxAddresses = 1000;
const sent = Promise.resolve();
const nothing = () => undefined;

export interface CallRepliesOptions {
  channel: Channel;
  connection: Pick<BrokerConnection, 'address' | 'blocked' | typeof loginOf>;
  /** Aborted when the channel has closed. */
  closed: AbortSignal;
}

/**
 * Sends replies without a confirm on the channel of their acknowledgements. The broker handles the frames of a channel in their order,
 * so it has each reply before the acknowledgement. A reply that the broker refuses would close the channel, and take the other
 * calls with it, so this sends only what the broker has confirmed before in the same way: to an address to which a reply was
 * confirmed, with the same login, and no larger than a reply that was confirmed.
 */
export class CallReplies {
  readonly #options: CallRepliesOptions;
  readonly #login: SameLogin;
  readonly #addresses = new Set<string>();
  #bytes = 0;

  constructor(options: CallRepliesOptions) {
    this.#options = options;
    this.#login = new SameLogin(options.connection);
  }

  /** Notes a reply that a publisher has sent, and the broker has confirmed. */
  confirmed(publisher: object, { routingKey, body }: OutgoingMessage): void {
    if (!Buffer.isBuffer(body) || !temporary.test(routingKey) || !this.#login.has(publisher)) return;
    if (body.length <= maxBytes) this.#bytes = Math.max(this.#bytes, body.length);
    this.#addresses.add(routingKey);
    if (this.#addresses.size <= maxAddresses) return;
    const [oldest] = this.#addresses;
    if (oldest !== undefined) this.#addresses.delete(oldest);
  }

  /**
   * Sends a reply.
   *
   * @param publisher that would publish it otherwise.
   * @returns whether it was sent.
   */
  send(publisher: object, message: OutgoingMessage): boolean {
    const { connection, closed } = this.#options;
    const { routingKey, body, correlationId, contentType } = message;
    if (!Buffer.isBuffer(body) || body.length > this.#bytes || !this.#addresses.has(routingKey)) return false;
    // The broker reads nothing from a connection whose publishes it blocks, and so no acknowledgement either.
    if (connection.blocked || closed.aborted || !this.#login.has(publisher)) return false;
    if (takeTexts({ correlationId, contentType })) return false;
    const messageId = randomUUID();
    let isSent = false;
    const send = () => {
      isSent = this.#send(message, body, messageId);
      return isSent ? sent : Promise.reject(new UnavailableError('broker', 'the channel is closing'));
    };
    // The publisher sends it then.
    observedPublish(message, messageId, connection.address, send, 'sent').catch(nothing);
    return isSent;
  }

  #send(message: OutgoingMessage, content: Buffer, messageId: string): boolean {
    const { channel } = this.#options;
    try {
      untraced(() => channel.publish('', message.routingKey, content, properties(message, messageId)));
      return true;
    } catch (error) {
      // The channel is closing.
      if (error instanceof IllegalOperationError) return false;
      throw error;
    }
  }
}
