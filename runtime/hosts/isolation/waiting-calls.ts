import type { SentCall } from './protocol.ts';

interface Lane {
  /** The call in front, from its beginning until its end has left this process. */
  running: SentCall | undefined;
  /** Whether a call has failed, so that none behind it begins until the worker has settled it. */
  isHalted: boolean;
  waiting: SentCall[];
}

/** Begins the calls that reach the process of a function: at once, or in the order of their lane. */
export class WaitingCalls {
  readonly #run: (call: SentCall) => Promise<boolean>;
  readonly #lanes = new Map<number, Lane>();
  #isClosed = false;

  /** @param run makes a call, and resolves when its end has left this process: with whether the next one of its lane may begin. */
  constructor(run: (call: SentCall) => Promise<boolean>) {
    this.#run = run;
  }

  take(call: SentCall): void {
    if (call.lane === undefined) return void this.#run(call);
    const lane = this.#lane(call.lane);
    if (!call.ahead) {
      // The worker has settled what was in front of it.
      lane.isHalted = false;
      lane.waiting.length = 0;
      void this.#begin(lane, call);
    } else if (lane.isHalted) return;
    else if (lane.running) lane.waiting.push(call);
    else void this.#begin(lane, call);
  }

  /** @returns the ids of the calls that now do not begin. @param of default all lanes. */
  recall(of?: number): number[] {
    const lanes = of === undefined ? [...this.#lanes.values()] : [this.#lane(of)];
    return lanes.flatMap(({ waiting }) => waiting.splice(0)).map(({ id }) => id);
  }

  /** Begins no call any more. */
  close(): void {
    this.#isClosed = true;
  }

  async #begin(lane: Lane, call: SentCall): Promise<void> {
    if (this.#isClosed) return;
    lane.running = call;
    const next = await this.#run(call);
    // The worker may have its end, and have sent another one, before this process knows that it has left.
    if (lane.running !== call) return;
    lane.running = undefined;
    lane.isHalted = !next;
    if (lane.isHalted) lane.waiting.length = 0;
    const waiting = lane.waiting.shift();
    if (waiting) void this.#begin(lane, waiting);
  }

  #lane(of: number): Lane {
    let lane = this.#lanes.get(of);
    if (!lane) {
      lane = { running: undefined, isHalted: false, waiting: [] };
      this.#lanes.set(of, lane);
    }
    return lane;
  }
}
