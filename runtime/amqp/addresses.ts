import { isDeepStrictEqual } from 'node:util';
import { WarrenError } from '../base/errors.ts';
import { type BrokerAddress, parseAddresses, withVhost } from './address.ts';

export interface AddressesOptions {
  /**
   * AMQP URLs, as a list or separated by commas. After a failure the next URL is tried. For `amqps`, the parameters
   * `cacertfile`, `certfile` and `keyfile` name files in PEM (RabbitMQ's URI query parameters).
   */
  url: string | readonly string[];
  /** Replaces the vhost of the URLs; default the vhost that each URL names. */
  vhost?: string | undefined;
  /**
   * Reads the URLs again after the broker refused the login. If they have changed, the new ones are tried at once: a rotated
   * password needs no restart. Default: the URLs never change.
   */
  renewUrl?: (() => Promise<string | readonly string[]>) | undefined;
}

/** The addresses of a broker's nodes, and whose turn it is. */
export class Addresses {
  readonly #renewUrl: AddressesOptions['renewUrl'];
  readonly #vhost: string | undefined;
  #all: readonly BrokerAddress[];
  #turn = 0;

  /** @throws WarrenError ERR_CONFIG if a URL is invalid or missing. The error does not contain it, because of the password. */
  constructor({ url, vhost, renewUrl }: AddressesOptions) {
    this.#vhost = vhost;
    this.#renewUrl = renewUrl;
    this.#all = this.#parse(url);
  }

  /** All of them; another list after they were renewed. */
  get all(): readonly BrokerAddress[] {
    return this.#all;
  }

  /** The address that worked last, or the one after the last that failed. */
  get current(): BrokerAddress {
    return this.#all[this.#turn % this.#all.length] as BrokerAddress;
  }

  /** Passes on to the next address. */
  next(): void {
    this.#turn += 1;
  }

  /**
   * Reads the URLs again.
   *
   * @param refused the addresses whose login the broker refused.
   * @returns whether they have changed.
   * @throws WarrenError ERR_BROKER_REFUSED that also contains the reason why the URLs cannot be read.
   */
  async renew(refused: readonly BrokerAddress[], { message }: WarrenError): Promise<boolean> {
    if (!this.#renewUrl) return false;
    try {
      const all = this.#parse(await this.#renewUrl());
      if (!isDeepStrictEqual(all, this.#all)) {
        this.#all = all;
        this.#turn = 0;
      }
    } catch (cause) {
      const reason = cause instanceof WarrenError ? cause.message : 'unexpected error';
      const text = `${message}, and the settings cannot be read again: ${reason}`;
      throw new WarrenError('ERR_BROKER_REFUSED', text, { cause });
    }
    return this.#all !== refused;
  }

  #parse(url: string | readonly string[]): readonly BrokerAddress[] {
    const vhost = this.#vhost;
    const all = parseAddresses(url);
    return vhost === undefined ? all : all.map((address) => withVhost(address, vhost));
  }
}
