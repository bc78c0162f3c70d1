/** Lets calls in side by side, or one alone. They enter in the order in which they came. */
export class Gate {
  #inside = 0;
  #closed = false;
  readonly #waiting: { alone: boolean; enter: () => void }[] = [];

  /**
   * Waits for its turn.
   *
   * @param alone whether no other may be inside.
   * @returns a function that leaves.
   */
  async enter(alone: boolean): Promise<() => void> {
    await new Promise<void>((enter) => {
      this.#waiting.push({ alone, enter });
      this.#admit();
    });
    return this.#leave;
  }

  /** Enters at once; undefined if a call that does not have to be alone would wait. */
  enterNow(): (() => void) | undefined {
    if (this.#closed || this.#waiting.length > 0) return undefined;
    this.#inside += 1;
    return this.#leave;
  }

  readonly #leave = (): void => {
    this.#inside -= 1;
    this.#closed = false;
    this.#admit();
  };

  #admit(): void {
    for (let [next] = this.#waiting; next && !this.#closed; [next] = this.#waiting) {
      if (next.alone && this.#inside > 0) return;
      this.#waiting.shift();
      this.#inside += 1;
      this.#closed = next.alone;
      next.enter();
    }
  }
}
