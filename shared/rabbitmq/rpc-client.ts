import { randomUUID } from 'node:crypto';
import { SpanKind } from '@opentelemetry/api';
import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib';
import { DeadlineError, UnavailableError, UnroutableError } from '../errors.ts';
import { type TracedOptions, traced, withTrace } from '../trace.ts';
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
  method: string;
  resolve: (reply: RpcReply) => void;
  reject: (error: Error) => void;
}

interface Session {
  channel: Channel;
  /** Of this connection alone, and gone with it. RabbitMQ's direct reply-to would do, and was a tenth slower. */
  replyQueue: string;
  /** By correlation id. */
  calls: Map<string, Call>;
  /** When the broker last said anything here, in milliseconds since 1970: the clock that goes on while we are frozen. */
  heardAt: number;
}

const exchange = 'rpc';

export interface RpcClientOptions extends ConnectionOptions {
  /** How long the broker itself may take to answer in milliseconds, default 2200. */
  answerMs?: number;
  /** A connection that was silent for so long, in milliseconds, may have died unnoticed and is tried first; default 5000. */
  silentMs?: number;
}

/**
 * Calls methods over RabbitMQ, any number at a time, on one connection that opens at the first call. Requests are not
 * confirmed, because replies are: where none comes for a while the broker is asked whether it is still there. A request
 * is sent once; the broker may still deliver it twice, where whoever serves it dies.
 */
export class RpcClient implements RpcClientLike {
  readonly #connection: BrokerConnection;
  readonly #answerMs: number;
  readonly #silentMs: number;
  #opening: Promise<Session> | undefined;
  #opened: Session | undefined;

  constructor({ answerMs = 2200, silentMs = 5000, ...connection }: RpcClientOptions) {
    this.#connection = new BrokerConnection({ connectTimeoutMs: answerMs, ...connection });
    this.#answerMs = answerMs;
    this.#silentMs = silentMs;
  }

  /**
   * Calls a method and waits for its reply.
   *
   * @param method name of the method's queue and routing key.
   * @param body sent as JSON.
   * @throws UnroutableError at once when no queue serves the method, DeadlineError when no reply came in time,
   *   UnavailableError when the broker is away or the connection was lost before the reply, WarrenError
   *   ERR_BROKER_REFUSED when the broker refuses our login.
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
    const content = Buffer.from(JSON.stringify(body ?? null));
    const session = this.#lately() ?? (await this.#session(until));
    const id = randomUUID();
    try {
      send(session, { method, content, id, timeoutMs, headers });
      return await this.#reply(session, { method, id, timeoutMs, until });
    } catch (error) {
      if (!(error instanceof NotSentError)) throw error;
      const opened = await this.#session(until);
      send(opened, { method, content, id, timeoutMs, headers });
      return await this.#reply(opened, { method, id, timeoutMs, until });
    }
  }

  /** Closes the connection; calls still open are rejected. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** The session, where the broker was heard on it just now. */
  #lately(): Session | undefined {
    return this.#opened && Date.now() - this.#opened.heardAt < this.#silentMs ? this.#opened : undefined;
  }

  /** A session that is alive: new, or asked. */
  async #session(until: number): Promise<Session> {
    const opening = this.#open();
    const session = await this.#inTime(opening, opening, until);
    if (session === this.#lately()) return session;
    // A process that was frozen finds its connection dead at the first use.
    try {
      await this.#inTime(opening, answer(session), until);
      return session;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      const another = this.#open();
      return this.#inTime(another, another, until);
    }
  }

  #reply(
    session: Session,
    { method, id, timeoutMs, until }: { method: string; id: string; timeoutMs: number; until: number },
  ): Promise<RpcReply> {
    const opening = this.#opening;
    return new Promise((resolve, reject) => {
      const left = () => until - performance.now();
      const end = () => {
        clearTimeout(timer);
        session.calls.delete(id);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const late = () => fail(new DeadlineError(`"${method}" did not answer within ${timeoutMs} ms`));
      const ask = () => {
        timer = setTimeout(late, left());
        // Either the method is slow, which it may be, or nobody is there to hand a reply over.
        if (opening) this.#inTime(opening, answer(session)).catch(fail);
      };
      let timer =
        left() > this.#answerMs ? setTimeout(ask, this.#answerMs) : setTimeout(late, Math.max(0, left()));
      session.calls.set(id, {
        method,
        reject: fail,
        resolve(reply) {
          end();
          resolve(reply);
        },
      });
    });
  }

  /** Waits for something of the broker's; what is late was lost with its connection, for all that can be told. */
  async #inTime<T>(
    opening: Promise<Session>,
    work: Promise<T>,
    until = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    const ms = Math.max(0, Math.min(this.#answerMs, until - performance.now()));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // A call in a hurry says nothing about the connection.
        if (ms === this.#answerMs && this.#opening === opening) {
          this.#forget();
          this.#connection.discard();
        }
        reject(new UnavailableError('broker', `no answer from the broker within ${Math.round(ms)} ms`));
      }, ms);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #open(): Promise<Session> {
    if (this.#opening) return this.#opening;
    const opening = this.#openSession(() => {
      if (this.#opening === opening) this.#forget();
    });
    this.#opening = opening;
    opening.then(
      (session) => {
        if (this.#opening === opening) this.#opened = session;
      },
      () => undefined,
    );
    return opening;
  }

  #forget(): void {
    this.#opening = undefined;
    this.#opened = undefined;
  }

  async #openSession(ended: () => void): Promise<Session> {
    try {
      const channel = await this.#connection.channel();
      const calls = new Map<string, Call>();
      channel.on('return', ({ fields, properties }) => {
        calls.get(properties.correlationId)?.reject(new UnroutableError(fields.exchange, fields.routingKey));
      });
      channel.on('close', () => {
        ended();
        for (const { reject } of [...calls.values()]) {
          reject(new UnavailableError('broker', 'the connection closed before the reply'));
        }
      });
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
      const session: Session = { channel, replyQueue: queue, calls, heardAt: Date.now() };
      await channel.consume(queue, (message) => settle(session, message), { noAck: true });
      return session;
    } catch (error) {
      ended();
      throw error instanceof IllegalOperationError
        ? new UnavailableError('broker', 'the channel closed while it opened', { cause: error })
        : error;
    }
  }
}

/** The channel had closed already, so that nothing was sent, and sending it again sends it once. */
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

/** Makes a client that connects at its first call. */
export function createRpcClient(options: RpcClientOptions): RpcClient {
  return new RpcClient(options);
}

function send({ channel, replyQueue }: Session, { method, content, id, timeoutMs, headers }: Request): void {
  try {
    channel.publish(exchange, method, content, {
      contentType: 'application/json',
      messageId: id,
      correlationId: id,
      replyTo: replyQueue,
      // When it is too late to answer, it is too late to work.
      expiration: Math.max(1, Math.ceil(timeoutMs)),
      mandatory: true,
      ...(headers && { headers }),
    });
  } catch (error) {
    throw error instanceof IllegalOperationError ? new NotSentError(error) : error;
  }
}

/** Resolves when the broker has answered on this channel, and so has seen all that was sent on it before. */
async function answer(session: Session): Promise<void> {
  try {
    // Says what holds anyway: any method of AMQP that is answered and needs no right will do.
    await session.channel.prefetch(0);
  } catch (cause) {
    throw new UnavailableError('broker', 'the channel closed', { cause });
  }
  session.heardAt = Date.now();
}

function settle(session: Session, message: ConsumeMessage | null): void {
  if (!message) {
    // The broker deleted the queue: no reply can come any more.
    session.channel.close().catch(() => undefined);
    return;
  }
  session.heardAt = Date.now();
  const { correlationId, contentType, type } = message.properties;
  // No such call: its time limit has passed, and its caller was told.
  session.calls
    .get(correlationId)
    ?.resolve({ body: parseBody(message.content, contentType), contentType, type });
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
