/** Milliseconds for which a call that is not full waits, at most, and as part of the time that a call takes. */
const [maxMs, part] = [50, 0.3];

/**
 * Lets calls fill. The keys of a call are ready again when it has ended, so the calls in flight would divide the keys among them, and each
 * would have a few. A call that is not full waits a moment while another one is in flight, and takes the keys of that one along.
 */
export class CallPace {
  readonly #onTime: () => void;
  /** What a call takes, over the latest ones. */
  #callMs = 0;
  /** Since when messages wait. */
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onTime called when the moment is over. */
  constructor(onTime: () => void) {
    this.#onTime = onTime;
  }

  /** Whether messages that do not fill a call have to wait. `onTime` is called if so, when their time is over. */
  waits(now = performance.now()): boolean {
    this.#since ??= now;
    const left = this.#since + Math.min(maxMs, part * this.#callMs) - now;
    if (left <= 0) return false;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#onTime();
    }, left);
    return true;
  }

  /** A call begins, with all that waited or as many as it may have. @returns the function to call when it ends. */
  begin(): () => void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = undefined;
    const began = performance.now();
    return () => {
      const ms = performance.now() - began;
      this.#callMs = this.#callMs === 0 ? ms : 0.8 * this.#callMs + 0.2 * ms;
    };
  }
}
