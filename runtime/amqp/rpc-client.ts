import { randomUUID } from 'node:crypto';
import { SpanKind } from '@opentelemetry/api';
import { IllegalOperationError } from 'amqplib';
import { UnavailableError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import type { Server } from '../base/messaging.ts';
import { checkNumbers, leftOf } from '../base/numbers.ts';
import { isTraced, type TracedOptions, traced, untraced, withTrace } from '../base/trace.ts';
import { expiresAtHeader } from './headers.ts';
import type { Expected } from './open-reply.ts';
import { ReplyQueue, type ReplyQueueOptions } from './reply-queue.ts';
import type { Reply, ReplySession } from './reply-session.ts';
import { contentHeaders } from './way-headers.ts';

const rules = {
  timeoutMs: { least: 0 },
  maxReplyBytes: { least: 1, whole: true, unlimited: true },
} as const;

export type RpcReply = Reply;

export interface CallOptions {
  /** Limit for the answer in milliseconds, default 5000. The request expires with it. */
  timeoutMs?: number;
  headers?: Record<string, unknown>;
  /** Bytes of the reply that the caller takes, default 16777216 (16 MiB). A larger one is not parsed. */
  maxReplyBytes?: number;
  /** Content type of a body in bytes, default `application/json`. */
  contentType?: string;
}

/** The part of an RPC client that other modules need. */
export interface RpcClientLike {
  call(method: string, body: unknown, options?: CallOptions): Promise<RpcReply>;
}

export interface RpcClientOptions extends ReplyQueueOptions {
  /** Exchange to which the queues of methods are bound by their names, default `rpc`. */
  exchange?: string;
}

/**
 * Calls methods over RabbitMQ, any number at a time, on one connection that opens at the first call. Requests are not
 * confirmed, because a reply is their confirm: if none arrives for a while, the broker is probed. A request is sent once. The
 * broker may still deliver it twice if the server of the method dies.
 */
export class RpcClient implements RpcClientLike {
  readonly #exchange: string;
  readonly #replies: ReplyQueue;

  constructor({ exchange = 'rpc', ...options }: RpcClientOptions) {
    this.#exchange = exchange;
    this.#replies = new ReplyQueue(options);
  }

  /**
   * Calls a method and waits for its reply.
   *
   * @param method name of the method's queue and routing key.
   * @param body bytes are sent unchanged, any other value as JSON.
   * @throws UnroutableError at once if no queue serves the method, DeadlineError if no reply arrived in time,
   *   ReplyTooLargeError if the reply is larger than `maxReplyBytes`, UnavailableError if the broker is unavailable or the
   *   connection was lost before the reply, WarrenError ERR_BROKER_REFUSED if the broker refuses our login, ERR_CONFIG if
   *   a number among the options is wrong.
   */
  async call(method: string, body: unknown, options: CallOptions = {}): Promise<RpcReply> {
    const { timeoutMs: given = 5000, maxReplyBytes } = options;
    const timeoutMs = leftOf(given);
    checkNumbers({ timeoutMs, maxReplyBytes }, rules);
    return isTraced()
      ? traced(
          () => calling(method, this.#replies.address),
          () => this.#call(method, body, timeoutMs, options),
        )
      : this.#call(method, body, timeoutMs, options);
  }

  #call(
    method: string,
    body: unknown,
    timeoutMs: number,
    { headers: given, contentType = 'application/json', maxReplyBytes }: CallOptions,
  ): Promise<RpcReply> {
    const headers = {
      ...withTrace(given && contentHeaders(given, body)),
      // The expiration counts from the arrival in the queue, and the request may be late on its way there.
      [expiresAtHeader]: new Date(Date.now() + timeoutMs).toISOString(),
    };
    const until = performance.now() + timeoutMs;
    const content = body instanceof Uint8Array ? bytesOf(body) : Buffer.from(stringifyJson(body));
    const id = randomUUID();
    const request = { exchange: this.#exchange, method, content, contentType, id, timeoutMs, headers };
    const expected = { id, until, what: `"${method}"`, timeoutMs, maxBytes: maxReplyBytes };
    const session = this.#replies.lately();
    if (session && send(session, request)) return this.#replies.reply(session, expected);
    return this.#callLater(request, expected);
  }

  /** The channel may have closed since: the request was not sent then, so a second try sends it once. */
  async #callLater(request: Request, expected: Expected): Promise<RpcReply> {
    for (let tries = 1; ; tries += 1) {
      const session = await this.#replies.session(expected.until);
      if (send(session, request)) return this.#replies.reply(session, expected);
      if (tries === 2) throw new UnavailableError('broker', 'the channel is closed');
    }
  }

  /** Closes the connection; open calls fail with an UnavailableError. */
  async close(): Promise<void> {
    await this.#replies.close();
  }
}

interface Request {
  exchange: string;
  method: string;
  content: Buffer;
  contentType: string;
  timeoutMs: number;
  headers: Record<string, unknown>;
  id: string;
}

function calling(method: string, { host, port }: Server): TracedOptions {
  const attributes = {
    'rpc.system.name': 'rabbitmq',
    'rpc.method': method,
    'server.address': host,
    'server.port': port,
  };
  return { name: `call ${method}`, kind: SpanKind.CLIENT, attributes };
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** @returns false if the channel has closed, so that the request was not sent. */
function send({ channel, queue }: ReplySession, request: Request): boolean {
  const { exchange, method, content, contentType, id, timeoutMs, headers } = request;
  try {
    const properties = {
      contentType,
      messageId: id,
      correlationId: id,
      replyTo: queue,
      // A request that can no longer be answered in time should not be served either.
      expiration: Math.max(1, Math.ceil(timeoutMs)),
      mandatory: true,
      headers,
    };
    untraced(() => channel.publish(exchange, method, content, properties));
    return true;
  } catch (error) {
    if (error instanceof IllegalOperationError) return false;
    throw error;
  }
}
