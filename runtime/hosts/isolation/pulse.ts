/** Milliseconds without a message of the process after which it is asked: after it was sent a call, and if it had nothing to do. */
const silence = { afterCall: 20, idle: 250 };

/**
 * Whether the event loop of a process turns. Each message of the process shows that; if there was none lately, it is asked for
 * one, because a message that is sent to a blocked process is lost with it.
 */
export class Pulse {
  readonly #ask: () => void;
  #heardAt = performance.now();
  /** When the first call after the last message of the process was sent. */
  #sentAt: number | undefined;
  #next: { heard: Promise<void>; resolve: () => void } | undefined;

  /** @param ask sends a message that the process answers. */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** Whether a message of the process is recent enough to send another call. */
  get isFresh(): boolean {
    const now = performance.now();
    return this.#sentAt === undefined
      ? now - this.#heardAt < silence.idle
      : now - this.#sentAt < silence.afterCall;
  }

  /** Milliseconds since the last message of the process. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  /** A call was sent. */
  sent(): void {
    this.#sentAt ??= performance.now();
  }

  /** A message of the process has arrived. */
  heard(): void {
    this.#heardAt = performance.now();
    this.#sentAt = undefined;
    this.#next?.resolve();
    this.#next = undefined;
  }

  /** Resolves when the event loop turns, at once if it did so lately. */
  async turns(): Promise<void> {
    if (this.isFresh) return;
    if (!this.#next) {
      let resolve = () => {};
      const heard = new Promise<void>((done) => {
        resolve = done;
      });
      this.#next = { heard, resolve };
      this.#ask();
    }
    await this.#next.heard;
  }
}
