/** Limits of a window. */
export interface WindowLimits {
  messages: number;
  bytes: number;
}

/** A publisher's unconfirmed messages at a time. Without a limit, the confirms of a large burst would come after the deadlines. */
export const unconfirmed: WindowLimits = { messages: 1000, bytes: 16 * 1024 ** 2 };

/**
 * Admits messages in their order while fewer than the limits are in flight. A message above the limit of bytes is admitted
 * alone.
 */
export class Window {
  readonly #limits: WindowLimits;
  readonly #waiting: { bytes: number; admit: () => void }[] = [];
  /** Index of the first entry that waits, because `shift` on a long array takes time in proportion to its length. */
  #first = 0;
  #messages = 0;
  #bytes = 0;
  #held = false;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** @returns undefined if the message is admitted at once, otherwise a promise that resolves when it is its turn. */
  enter(bytes: number): Promise<void> | undefined {
    if (this.#first === this.#waiting.length && this.#fits(bytes)) {
      this.#count(bytes);
      return undefined;
    }
    return new Promise((admit) => this.#waiting.push({ bytes, admit }));
  }

  /** Removes a message that was admitted, and admits those that fit now. */
  leave(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
    this.#admit();
  }

  /** Admits no message until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#waiting[this.#first]; next; next = this.#waiting[this.#first]) {
      if (!this.#fits(next.bytes)) return;
      this.#first += 1;
      if (this.#first === 1000) {
        this.#waiting.splice(0, this.#first);
        this.#first = 0;
      }
      this.#count(next.bytes);
      next.admit();
    }
  }

  #fits(bytes: number): boolean {
    if (this.#held) return false;
    const { messages, bytes: maxBytes } = this.#limits;
    return this.#messages === 0 || (this.#messages < messages && this.#bytes + bytes <= maxBytes);
  }

  #count(bytes: number): void {
    this.#messages += 1;
    this.#bytes += bytes;
  }
}
