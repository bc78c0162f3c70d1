import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect as amqpConnect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { keepRawHeaders } from './raw-headers.ts';
import { tolerateUnreadable } from './unreadable.ts';
import { brokerUrls } from './urls.ts';

/** How to reach a broker, and under which name it lists us. */
export interface ConnectionOptions {
  /**
   * AMQP URLs, as a list or separated by commas; after a failure the next one is tried. For `amqps`, the parameters
   * `cacertfile`, `certfile` and `keyfile` name files in PEM (RabbitMQ's URI query parameters).
   */
  url: string | readonly string[];
  /** Shown in the management page and in `rabbitmqctl list_connections`: say which function is served. */
  name: string;
  /** Seconds between heartbeats, default 10; a dead peer is noticed after two to three of them. */
  heartbeat?: number;
  /** Limit for socket and handshake in milliseconds, default 4000. */
  connectTimeoutMs?: number;
  connect?: typeof amqpConnect;
}

/**
 * One connection to the broker, opened at first use and opened anew at the first use after it was lost. Whoever lives
 * on it decides how long to pause between tries; this class never loops.
 *
 * amqplib's own recovery is not used here: it knows one URL, and its retries can't tell a broker that is away from one
 * that refuses our password.
 */
export class BrokerConnection {
  readonly #options: Required<Omit<ConnectionOptions, 'url'>>;
  readonly #urls: readonly string[];
  #turn = 0;
  #opening: Promise<ChannelModel> | undefined;
  #model: ChannelModel | undefined;
  #blocked = false;
  #refusal: Error | undefined;
  #closed = false;
  /** Tells a connection that was given up while it was still opening from the one in use. */
  #generation = 0;

  constructor(options: ConnectionOptions) {
    // Plain JavaScript may pass a variable of the environment that is not set.
    const url: string | readonly string[] | undefined = options.url;
    this.#urls = typeof url === 'string' ? brokerUrls(url) : (url ?? []);
    if (this.#urls.length === 0) {
      throw new WarrenError('ERR_CONFIG', 'url: expected at least one AMQP URL, got none');
    }
    this.#options = { heartbeat: 10, connectTimeoutMs: 4000, connect: amqpConnect, ...options };
  }

  /** How many URLs there are to try. */
  get addresses(): number {
    return this.#urls.length;
  }

  /** True while the broker holds back what we publish (a memory or disk alarm). */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** What the broker said when it closed the last connection over something that was sent on it; else undefined. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /**
   * Opens a channel.
   *
   * @throws WarrenError ERR_BROKER_REFUSED when user, password or vhost are wrong, UnavailableError when it is away.
   */
  async channel(): Promise<Channel> {
    return this.#open((model) => model.createChannel());
  }

  /** As `channel`, with publisher confirms. */
  async confirmChannel(): Promise<ConfirmChannel> {
    return this.#open((model) => model.createConfirmChannel());
  }

  /**
   * Gives the connection up without waiting for the peer; the next use opens another.
   *
   * @param of a channel of the connection that is meant: another that is in use by now is left alone.
   */
  discard(of?: Channel): void {
    const model = this.#model;
    if (of && of.connection !== model?.connection) return;
    // Nobody answered at this URL: a broker behind a silent firewall must not keep us from the others.
    if (!model) this.#turn += 1;
    this.#forget(model);
    // A close that waits for the peer would hang on a peer that is gone: that is why we are here.
    model?.close().catch(() => undefined);
    const socket = model && socketOf(model);
    setTimeout(() => socket?.destroy(givenUp()), 100).unref();
  }

  /** Closes for good; later calls fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const model = await this.#opening?.catch(() => undefined);
    this.#forget(model);
    if (!model) return;
    const socket = socketOf(model);
    // amqplib waits for the broker's answer for ever where the connection is cut after it asked.
    const cut = new Promise<void>((resolve) => socket?.once('close', resolve));
    const timer = setTimeout(() => socket?.destroy(givenUp()), 2000);
    // Already closing, or cut while closing: either way it is closed, which is what was asked for.
    await Promise.race([model.close().catch(() => undefined), cut]);
    clearTimeout(timer);
  }

  async #open<T extends Channel>(create: (model: ChannelModel) => Promise<T>): Promise<T> {
    const model = await this.#connected();
    try {
      const channel = await create(model);
      // Without a listener a channel error would end the process. Its 'close' event follows, and that is what counts.
      channel.on('error', () => undefined);
      return channel;
    } catch (cause) {
      throw new UnavailableError('broker', 'the connection to the broker closed', { cause });
    }
  }

  async #connected(): Promise<ChannelModel> {
    if (this.#closed) throw new UnavailableError('broker', 'the connection was closed by this process');
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  async #connect(): Promise<ChannelModel> {
    const { name, heartbeat, connectTimeoutMs, connect } = this.#options;
    const generation = this.#generation;
    const url = new URL(this.#urls[this.#turn % this.#urls.length] as string);
    if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(heartbeat));
    try {
      const model = await connect(url.href, {
        noDelay: true,
        keepAlive: true,
        timeout: connectTimeoutMs,
        ...(await tlsFiles(url)),
        clientProperties: { connection_name: name },
      });
      tolerateUnreadable(model);
      keepRawHeaders(model);
      this.#refusal = undefined;
      model.on('error', (error: Error & { code?: unknown }) => {
        // A reply code (AMQP 0-9-1, 1.1); what Node says of a socket is a text. An operator's close comes without an error.
        if (typeof error.code === 'number') this.#refusal = error;
      });
      if (generation !== this.#generation) {
        model.close().catch(() => undefined);
        throw new UnavailableError('broker', 'the connection was given up while it opened');
      }
      this.#model = model;
      model.on('blocked', () => {
        this.#blocked = true;
      });
      model.on('unblocked', () => {
        this.#blocked = false;
      });
      model.on('close', () => this.#forget(model));
      return model;
    } catch (cause) {
      if (generation === this.#generation) {
        this.#turn += 1;
        this.#opening = undefined;
      }
      throw cause instanceof WarrenError ? cause : connectError(cause, url);
    }
  }

  #forget(model: ChannelModel | undefined): void {
    if (model !== this.#model) return;
    this.#generation += 1;
    this.#model = undefined;
    this.#opening = undefined;
    this.#blocked = false;
  }
}

/** @see https://www.rabbitmq.com/docs/uri-query-parameters */
async function tlsFiles({
  protocol,
  searchParams,
}: URL): Promise<{ ca?: Buffer; cert?: Buffer; key?: Buffer }> {
  if (protocol !== 'amqps:') return {};
  const names = { ca: 'cacertfile', cert: 'certfile', key: 'keyfile' } as const;
  const files = Object.entries(names).flatMap(([option, parameter]) => {
    const path = searchParams.get(parameter);
    return path === null ? [] : [{ option, parameter, path }];
  });
  const read = files.map(async ({ option, parameter, path }) => {
    const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      const problem = `${parameter}: expected a file in PEM, got ${cause.code}`;
      throw new WarrenError('ERR_CONFIG', `the URL of the broker: ${problem}`, { cause });
    });
    return [option, content] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

function connectError(cause: unknown, url: URL): WarrenError {
  // What the broker said to the handshake (AMQP 0-9-1, 1.2) is to be had from amqplib in this text only: the reply code
  // while we log in, and after that, when the virtual host is opened, just that it closed.
  const text = cause instanceof Error ? cause.message : '';
  const code = /Handshake terminated by server: (\d{3})/.exec(text)?.[1];
  const vhostRefused = /^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(text);
  const where = `${url.host}${url.pathname}`;
  if (code === '403') {
    return new WarrenError('ERR_BROKER_REFUSED', `the broker at ${where} refused the user or password`, {
      cause,
    });
  }
  if (vhostRefused || code === '530' || code === '402') {
    return new WarrenError('ERR_BROKER_REFUSED', `the broker at ${where} refused the virtual host`, {
      cause,
    });
  }
  return new UnavailableError('broker', `the broker at ${where} can't be reached`, { cause });
}

/** Without an error, amqplib would learn of the end from missing heartbeats only, and with it whoever waits for an answer. */
function givenUp(): Error {
  return new Error('the connection was given up');
}

/** amqplib's public types hide the socket; to cut a dead connection it has to be reached. */
function socketOf(model: ChannelModel): Socket | undefined {
  return (model.connection as unknown as { stream?: Socket }).stream;
}
