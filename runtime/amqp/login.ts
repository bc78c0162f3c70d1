import { isDeepStrictEqual } from 'node:util';
import type { BrokerAddress } from './address.ts';

/** Key of the addresses of a publisher. Registered, because a bundle has its own copy of this package. */
export const loginOf: unique symbol = Symbol.for('warren.login.1') as never;

/** A publisher or connection that has addresses. */
export interface WithLogin {
  [loginOf](): readonly BrokerAddress[];
}

/** Compares the addresses and logins of a connection with those of publishers, and remembers the last result. */
export class SameLogin {
  readonly #own: WithLogin;
  #compared: { own: unknown; other: unknown; result: boolean } | undefined;

  constructor(own: WithLogin) {
    this.#own = own;
  }

  /**
   * Whether a publisher has the same brokers, virtual host and login, and so the same rights.
   *
   * @param publisher any object; one without addresses, such as a wrapper of a publisher, is another one.
   */
  has(publisher: object): boolean {
    const own = this.#own[loginOf]();
    const other = (publisher as Partial<WithLogin>)[loginOf]?.();
    if (other === undefined) return false;
    if (this.#compared?.own !== own || this.#compared.other !== other)
      this.#compared = { own, other, result: isDeepStrictEqual(own, other) };
    return this.#compared.result;
  }
}
