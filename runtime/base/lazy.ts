import { isDeepStrictEqual } from 'node:util';

/** Creates a value at the first call, and keeps it; if `create` throws, the next call tries again. */
export function whenNeeded<Value>(create: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= create();
    const making = made;
    return making.catch((error: unknown) => {
      // Another call may have started again by now.
      if (made === making) made = undefined;
      throw error;
    });
  };
}

/**
 * Creates a handler at its first call, and keeps it. A cold start pays only for what it uses, and importing a function's
 * module (as a test does) reads no environment.
 *
 * @param create creates the handler once for all calls; if it throws, the next call tries again.
 */
export function whenCalled<Args extends unknown[], Result>(
  create: () => Promise<(...args: Args) => Promise<Result>>,
): (...args: Args) => Promise<Result> {
  const made = whenNeeded(create);
  return async (...args) => (await made())(...args);
}

export interface RenewedOptions<Values, Built> {
  /** The settings that are known now. */
  values: Values;
  /** Builds from the settings what the work needs. */
  build: (values: Values) => Built;
  /** Reads the settings again. */
  reread: () => Promise<Values>;
  /** Whether an error means that a secret in the settings was refused. */
  refused: (error: unknown) => boolean;
}

/**
 * Keeps what was built from a secret, such as a client with a password. If the other side refuses the secret, the settings are
 * read again, and if they have changed, it is built again and the work is repeated once: a rotated password needs no restart.
 */
export class Renewed<Values, Built> {
  readonly #options: RenewedOptions<Values, Built>;
  #values: Values;
  #built: Built;
  #checkedAt = performance.now();

  constructor(options: RenewedOptions<Values, Built>) {
    this.#options = options;
    this.#values = options.values;
    this.#built = options.build(options.values);
  }

  /**
   * Runs work with what was built.
   *
   * @param work is run a second time only if its first error was a refusal and the settings have changed.
   * @throws what the last run of the work threw, or what reading the settings threw.
   */
  async use<Result>(work: (built: Built) => Promise<Result>): Promise<Result> {
    const built = this.#built;
    try {
      return await work(built);
    } catch (error) {
      if (!this.#options.refused(error)) throw error;
      await this.#reread();
      if (built === this.#built) throw error;
    }
    return work(this.#built);
  }

  /**
   * Returns what was built from settings that are at most a minute old, for work that no other side can refuse, such as a
   * signature. If the settings cannot be read again, those that are known count for another minute.
   */
  async recent(): Promise<Built> {
    if (performance.now() - this.#checkedAt > recentMs) await this.#reread().catch(() => undefined);
    return this.#built;
  }

  async #reread(): Promise<void> {
    this.#checkedAt = performance.now();
    const values = await this.#options.reread();
    if (isDeepStrictEqual(values, this.#values)) return;
    this.#values = values;
    this.#built = this.#options.build(values);
  }
}

const recentMs = 60_000;
