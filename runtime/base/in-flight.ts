/** Counts work in flight. A Set of promises needs another promise for each. */
export class InFlight {
  #count = 0;
  #ended: (() => void) | undefined;

  begin(): void {
    this.#count += 1;
  }

  readonly end = (): void => {
    this.#count -= 1;
    if (this.#count === 0) this.#ended?.();
  };

  /** Resolves when all that has begun has ended. Nothing may begin meanwhile. */
  async allEnded(): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
  }
}
