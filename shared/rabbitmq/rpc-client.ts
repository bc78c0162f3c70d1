import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, type ConsumeMessage, IllegalOperationError } from 'amqplib';
import { DeadlineError, UnavailableError, UnroutableError } from '../errors.ts';
import { BrokerConnection, type ConnectionOptions } from './connection.ts';

export interface RpcReply {
  /** Parsed where the reply is JSON, text otherwise. */
  body: unknown;
  contentType?: string | undefined;
  /** `error` where the body is a problem (RFC 9457). */
  type?: string | undefined;
}

export interface CallOptions {
  /** How long to wait for the answer in milliseconds, default 5000; the request expires with it. */
  timeoutMs?: number;
  headers?: Record<string, unknown>;
}

/** What modules that call ask for. */
export interface RpcClientLike {
  call(method: string, body: unknown, options?: CallOptions): Promise<RpcReply>;
}

interface Call {
  resolve: (reply: RpcReply) => void;
  reject: (error: Error) => void;
}

interface Session {
  channel: ConfirmChannel;
  /** By correlation id. */
  calls: Map<string, Call>;
}

const exchange = 'rpc';
/** RabbitMQ's direct reply-to: replies come to this channel without any queue being made. */
const replyQueue = 'amq.rabbitmq.reply-to';

/** Calls methods over RabbitMQ, any number at a time, on one connection that opens at the first call. */
export class RpcClient implements RpcClientLike {
  readonly #connection: BrokerConnection;
  readonly #confirmMs: number;
  #session: Promise<Session> | undefined;

  constructor({ confirmMs = 2200, ...connection }: ConnectionOptions & { confirmMs?: number }) {
    this.#connection = new BrokerConnection({ connectTimeoutMs: confirmMs, ...connection });
    this.#confirmMs = confirmMs;
  }

  /**
   * Calls a method and waits for its reply.
   *
   * @param method name of the method's queue and routing key.
   * @param body sent as JSON.
   * @throws UnroutableError at once when no queue serves the method, DeadlineError when no reply came in time,
   *   UnavailableError when the broker is away or took no request.
   */
  async call(
    method: string,
    body: unknown,
    { timeoutMs = 5000, headers = {} }: CallOptions = {},
  ): Promise<RpcReply> {
    const request = {
      method,
      content: Buffer.from(JSON.stringify(body ?? null)),
      timeoutMs,
      headers,
      id: randomUUID(),
      taken: false,
    };
    const until = performance.now() + timeoutMs;
    try {
      return await this.#request(request, until);
    } catch (error) {
      // A connection that died while this process was frozen shows itself at the first use. The broker did not take
      // the request, so that asking once more on a new connection does not call twice.
      if (!(error instanceof UnavailableError) || request.taken || performance.now() >= until) throw error;
      return this.#request(request, until);
    }
  }

  /** Closes the connection; calls still open are rejected. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #request(request: Request, until: number): Promise<RpcReply> {
    const session = this.#open();
    const timers: NodeJS.Timeout[] = [];
    const late = new Promise<never>((_, reject) => {
      const confirmBy = Math.min(this.#confirmMs, until - performance.now());
      timers.push(setTimeout(() => reject(this.#giveUp(session)), confirmBy));
    });
    late.catch(() => undefined);
    try {
      const opened = await Promise.race([session, late]);
      const reply = new Promise<RpcReply>((resolve, reject) => {
        opened.calls.set(request.id, { resolve, reject });
        timers.push(
          setTimeout(
            () =>
              reject(new DeadlineError(`"${request.method}" did not answer within ${request.timeoutMs} ms`)),
            until - performance.now(),
          ),
        );
        publish(opened, request, (error) => {
          if (error) return reject(error);
          request.taken = true;
          clearTimeout(timers[0]);
        });
      });
      return await Promise.race([reply, late]);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      session.then(
        ({ calls }) => calls.delete(request.id),
        () => undefined,
      );
    }
  }

  #giveUp(session: Promise<Session>): UnavailableError {
    if (this.#session === session) {
      this.#session = undefined;
      this.#connection.discard();
    }
    return new UnavailableError('broker', 'the broker did not take the request in time');
  }

  #open(): Promise<Session> {
    if (this.#session) return this.#session;
    const opening = this.#openSession(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    this.#session = opening;
    return opening;
  }

  async #openSession(ended: () => void): Promise<Session> {
    try {
      const channel = await this.#connection.confirmChannel();
      const calls = new Map<string, Call>();
      channel.on('return', ({ fields, properties }) => {
        calls.get(properties.correlationId)?.reject(new UnroutableError(fields.exchange, fields.routingKey));
      });
      channel.on('close', () => {
        ended();
        for (const { reject } of calls.values()) {
          reject(new UnavailableError('broker', 'the connection closed before the reply'));
        }
      });
      await channel.consume(replyQueue, (message) => settle(calls, message), { noAck: true });
      return { channel, calls };
    } catch (error) {
      ended();
      throw error instanceof IllegalOperationError
        ? new UnavailableError('broker', 'the channel closed while it opened', { cause: error })
        : error;
    }
  }
}

interface Request {
  method: string;
  content: Buffer;
  timeoutMs: number;
  headers: Record<string, unknown>;
  id: string;
  /** The broker confirmed it. */
  taken: boolean;
}

/** Makes a client that connects at its first call. */
export function createRpcClient(options: ConnectionOptions): RpcClient {
  return new RpcClient(options);
}

function publish({ channel }: Session, request: Request, done: (error?: Error) => void): void {
  const options = {
    contentType: 'application/json',
    messageId: request.id,
    correlationId: request.id,
    replyTo: replyQueue,
    // When it is too late to answer, it is too late to work.
    expiration: Math.max(1, Math.ceil(request.timeoutMs)),
    headers: { ...request.headers, 'x-routing-key': request.method },
    mandatory: true,
    persistent: false,
  };
  try {
    channel.publish(exchange, request.method, request.content, options, (refused: unknown) => {
      done(
        refused
          ? new UnavailableError('broker', 'the broker refused the request', { cause: refused })
          : undefined,
      );
    });
  } catch (cause) {
    done(new UnavailableError('broker', 'the channel is closed', { cause }));
  }
}

function settle(calls: Map<string, Call>, message: ConsumeMessage | null): void {
  if (!message) return;
  const { correlationId, contentType, type } = message.properties;
  const call = calls.get(correlationId);
  // No such call: its time limit has passed, and its caller was told.
  if (!call) return;
  call.resolve({ body: parseBody(message.content, contentType), contentType, type });
}

function parseBody(content: Buffer, contentType: string | undefined): unknown {
  const text = content.toString();
  if (contentType !== undefined && !/[/+]json\b/i.test(contentType)) return text;
  try {
    return JSON.parse(text);
  } catch {
    // A server that labels nothing, or wrongly, still gets its answer through.
    return text;
  }
}
