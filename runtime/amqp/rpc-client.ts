import { randomUUID } from 'node:crypto';
import { SpanKind } from '@opentelemetry/api';
import { IllegalOperationError } from 'amqplib';
import { UnavailableError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import { type TracedOptions, traced, withTrace } from '../base/trace.ts';
import { ReplyQueue, type ReplyQueueOptions } from './reply-queue.ts';
import type { Reply, ReplySession } from './reply-session.ts';

export type RpcReply = Reply;

export interface CallOptions {
  /** Limit for the answer in milliseconds, default 5000. The request expires with it. */
  timeoutMs?: number;
  headers?: Record<string, unknown>;
}

/** The part of an RPC client that other modules need. */
export interface RpcClientLike {
  call(method: string, body: unknown, options?: CallOptions): Promise<RpcReply>;
}

const exchange = 'rpc';

export type RpcClientOptions = ReplyQueueOptions;

/**
 * Calls methods over RabbitMQ, any number at a time, on one connection that opens at the first call. Requests are not
 * confirmed, because a reply is their confirm: if none arrives for a while, the broker is probed. A request is sent once. The
 * broker may still deliver it twice if the server of the method dies.
 */
export class RpcClient implements RpcClientLike {
  readonly #replies: ReplyQueue;

  constructor(options: RpcClientOptions) {
    this.#replies = new ReplyQueue(options);
  }

  /**
   * Calls a method and waits for its reply.
   *
   * @param method name of the method's queue and routing key.
   * @param body sent as JSON.
   * @throws UnroutableError at once if no queue serves the method, DeadlineError if no reply arrived in time,
   *   UnavailableError if the broker is unavailable or the connection was lost before the reply, WarrenError
   *   ERR_BROKER_REFUSED if the broker refuses our login.
   */
  async call(method: string, body: unknown, options: CallOptions = {}): Promise<RpcReply> {
    return traced(
      () => calling(method),
      () => this.#call(method, body, options),
    );
  }

  async #call(
    method: string,
    body: unknown,
    { timeoutMs = 5000, headers: given }: CallOptions,
  ): Promise<RpcReply> {
    const headers = withTrace(given);
    const until = performance.now() + timeoutMs;
    const content = Buffer.from(stringifyJson(body));
    const id = randomUUID();
    const ask = (session: ReplySession) => {
      send(session, { method, content, id, timeoutMs, headers });
      return this.#replies.reply(session, { id, until, what: `"${method}"`, timeoutMs });
    };
    const session = this.#replies.lately() ?? (await this.#replies.session(until));
    try {
      return await ask(session);
    } catch (error) {
      if (!(error instanceof NotSentError)) throw error;
      return await ask(await this.#replies.session(until));
    }
  }

  /** Closes the connection; open calls fail with an UnavailableError. */
  async close(): Promise<void> {
    await this.#replies.close();
  }
}

/** The channel had already closed: the request was not sent, so a second try sends it once. */
class NotSentError extends UnavailableError {
  constructor(cause: Error) {
    super('broker', 'the channel is closed', { cause });
  }
}

interface Request {
  method: string;
  content: Buffer;
  timeoutMs: number;
  headers: Record<string, unknown> | undefined;
  id: string;
}

function calling(method: string): TracedOptions {
  const attributes = { 'rpc.system.name': 'rabbitmq', 'rpc.method': method };
  return { name: `call ${method}`, kind: SpanKind.CLIENT, attributes };
}

function send({ channel, queue }: ReplySession, { method, content, id, timeoutMs, headers }: Request): void {
  try {
    channel.publish(exchange, method, content, {
      contentType: 'application/json',
      messageId: id,
      correlationId: id,
      replyTo: queue,
      // A request that can no longer be answered in time should not be served either.
      expiration: Math.max(1, Math.ceil(timeoutMs)),
      mandatory: true,
      ...(headers && { headers }),
    });
  } catch (error) {
    throw error instanceof IllegalOperationError ? new NotSentError(error) : error;
  }
}
