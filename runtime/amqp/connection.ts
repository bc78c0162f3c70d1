import { connect as amqpConnect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { doneWithin } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import { checkNumbers } from '../base/numbers.ts';
import type { BrokerAddress } from './address.ts';
import { Addresses, type AddressesOptions } from './addresses.ts';
import { reportLoss } from './channel-requests.ts';
import { reportClient } from './client-events.ts';
import { type ConnectOptions, connectNumbers, connectTo, isRefusal } from './connect.ts';
import { loginOf, type WithLogin } from './login.ts';
import { closeMs, destroySocket, socketClosed } from './socket.ts';

export interface ConnectionOptions extends ConnectOptions, AddressesOptions {}

/**
 * One connection to the broker. It opens at its first use, and again at the first use after it was lost. This class never
 * loops: its user decides how long to pause between tries. amqplib's own recovery is not used: it supports one URL, and its
 * retries do not distinguish an unavailable broker from one that refuses our password.
 */
export class BrokerConnection implements WithLogin {
  readonly #options: Required<ConnectOptions>;
  readonly #addresses: Addresses;
  #opening: Promise<ChannelModel> | undefined;
  #model: ChannelModel | undefined;
  #blocked = false;
  #refusal: Error | undefined;
  #closed = false;
  /** Distinguishes a connection that was discarded while it opened from the current one. */
  #generation = 0;
  readonly [loginOf] = (): readonly BrokerAddress[] => this.#addresses.all;

  /** @throws WarrenError ERR_CONFIG if a URL or a number is wrong. The error does not contain the URL, because of the password. */
  constructor(options: ConnectionOptions) {
    checkNumbers(options, connectNumbers);
    this.#addresses = new Addresses(options);
    this.#options = { heartbeat: 10, connectTimeoutMs: 4000, connect: amqpConnect, ...options };
  }

  /** Number of URLs. */
  get addresses(): number {
    return this.#addresses.all.length;
  }

  /** The address that is in use, or that the next connection tries first. */
  get address(): BrokerAddress {
    return this.#addresses.current;
  }

  /** True while the broker blocks publishers because of a memory or disk alarm. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** The broker's reason if it closed the last connection because of something that was sent on it; otherwise undefined. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /**
   * Opens a channel. Without a connection it tries each address once, each within `connectTimeoutMs`.
   *
   * @throws WarrenError ERR_BROKER_REFUSED if user, password or vhost are wrong, UnavailableError if the broker is unavailable.
   */
  async channel(): Promise<Channel> {
    return this.#open((model) => model.createChannel());
  }

  /** Opens a channel with publisher confirms; throws as `channel` does. */
  confirmChannel(): Promise<ConfirmChannel> {
    return this.#open((model) => model.createConfirmChannel());
  }

  /**
   * Discards the connection without waiting for the peer. The next use opens another.
   *
   * @param of a channel of the connection to discard. If another connection has replaced it, nothing happens.
   */
  discard(of?: Channel): void {
    const model = this.#model;
    if (of && of.connection !== model?.connection) return;
    // No answer from this URL: a broker behind a silent firewall must not keep us from the others.
    if (!model) this.#addresses.next();
    this.#forget(model);
    // Not awaited: the peer is probably gone and would never answer.
    model?.close().catch(() => undefined);
    if (model) setTimeout(() => destroySocket(model), 100).unref();
  }

  /** Closes the connection for good; later calls fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const model = await this.#opening?.catch(() => undefined);
    this.#forget(model);
    if (!model) return;
    // amqplib waits for the broker's answer forever if the connection is cut after its request.
    const cut = socketClosed(model);
    // An error means that it was already closing or was cut, so it is closed.
    const closed = Promise.race([model.close().catch(() => undefined), cut]);
    if (await doneWithin(closed, closeMs)) return;
    destroySocket(model);
    await closed;
  }

  async #open<T extends Channel>(create: (model: ChannelModel) => Promise<T>): Promise<T> {
    const model = await this.#connected();
    try {
      return reportLoss(await create(model));
    } catch (cause) {
      throw new UnavailableError('broker', 'the connection to the broker closed', { cause });
    }
  }

  async #connected(): Promise<ChannelModel> {
    if (this.#closed) throw new UnavailableError('broker', 'the connection was closed by this process');
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  /** If the login is refused, and another one is known by now, it tries that. */
  async #connect(): Promise<ChannelModel> {
    const generation = this.#generation;
    const { all } = this.#addresses;
    try {
      return await this.#tryEach(generation).catch(async (failure: unknown) => {
        if (!isRefusal(failure) || !(await this.#addresses.renew(all, failure))) throw failure;
        return this.#tryEach(generation);
      });
    } catch (error) {
      if (generation === this.#generation) this.#opening = undefined;
      throw error;
    }
  }

  /** Tries each address once, beginning with the one that worked last. */
  async #tryEach(generation: number): Promise<ChannelModel> {
    let failure: unknown;
    for (const _ of this.#addresses.all) {
      if (failure !== undefined && (this.#closed || generation !== this.#generation)) break;
      try {
        return this.#adopt(await connectTo(this.#addresses.current, this.#options), generation);
      } catch (error) {
        // A refusal is the more useful reason if another address is unavailable, because waiting does not help.
        failure = isRefusal(failure) ? failure : error;
        if (generation === this.#generation) this.#addresses.next();
      }
    }
    throw failure;
  }

  #adopt(model: ChannelModel, generation: number): ChannelModel {
    this.#refusal = undefined;
    model.on('error', (error: Error & { code?: unknown }) => {
      // A number is a reply code (AMQP 0-9-1, 1.1); Node's codes for sockets are texts.
      if (typeof error.code === 'number') this.#refusal = error;
    });
    if (generation !== this.#generation) {
      model.close().catch(() => undefined);
      throw new UnavailableError('broker', 'the connection was discarded while it opened');
    }
    this.#model = model;
    reportClient({ kind: 'connected', name: this.#options.name });
    model.on('blocked', () => this.#setBlocked(true));
    model.on('unblocked', () => this.#setBlocked(false));
    model.on('close', () => this.#forget(model));
    return model;
  }

  #forget(model: ChannelModel | undefined): void {
    if (model !== this.#model) return;
    this.#generation += 1;
    this.#model = undefined;
    this.#opening = undefined;
    this.#setBlocked(false);
  }

  #setBlocked(blocked: boolean): void {
    if (blocked !== this.#blocked) reportClient({ kind: 'blocked', change: blocked ? 1 : -1 });
    this.#blocked = blocked;
  }
}
