import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { SentCall } from './protocol.ts';

/** Milliseconds for which calls may follow each other without a turn of the event loop. */
const turnMs = 10;

interface Lane {
  /** The call in front, from its beginning until its end has left this process and the next one begins. */
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
  #turnedAt = 0;

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
    if (next && lane.waiting.length > 0) await this.#turn();
    // The worker may have its end, and have sent another one, meanwhile.
    if (lane.running !== call) return;
    lane.running = undefined;
    lane.isHalted = !next;
    if (lane.isHalted) lane.waiting.length = 0;
    const waiting = lane.waiting.shift();
    if (waiting) void this.#begin(lane, waiting);
  }

  /**
   * Lets the event loop turn if calls have followed each other for a while. Those that wait for nothing would keep it from timers, from
   * the function's connections and from the worker that takes calls back.
   */
  async #turn(): Promise<void> {
    if (performance.now() - this.#turnedAt < turnMs) return;
    // From one to the next it reads what has arrived. The first comes without that if a read has led here.
    await turn();
    await turn();
    this.#turnedAt = performance.now();
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
