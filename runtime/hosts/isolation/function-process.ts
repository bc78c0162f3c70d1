import { withDeadline } from '../../base/deadline.ts';
import { FunctionLateError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { SharedEndError } from './ending.ts';
import { Gate } from './gate.ts';
import type { LineageOptions } from './life-options.ts';
import { Lineage } from './lineage.ts';
import { isSuspect } from './suspect.ts';

/** Calls a function in a process of its own, and in another one whenever that has ended. */
export class FunctionProcess {
  readonly #lineage: Lineage;
  readonly #functionName: string;
  readonly #gate = new Gate();
  #calls = 0;

  constructor(options: LineageOptions) {
    this.#lineage = new Lineage(options);
    this.#functionName = options.start.functionName;
  }

  /** Calls that are in flight or wait. */
  get calls(): number {
    return this.#calls;
  }

  /** Whether it begins a call at once. */
  get isResponsive(): boolean {
    return this.#lineage.isResponsive;
  }

  /** Whether its processes end again and again without a call, and none takes calls now. */
  get isBroken(): boolean {
    return this.#lineage.isBroken;
  }

  /** Starts the first process; throws the error of a function that cannot be loaded. */
  start(): Promise<void> {
    return this.#lineage.start();
  }

  /** Resolves when it begins a call at once; throws HostUnavailableError if it has no process. */
  async responsive(): Promise<void> {
    await this.#lineage.responsive();
  }

  /**
   * Calls the function, as `inProcess`. A call whose process ended is made again alone if others were in flight, so that only
   * the one that ends its process fails; a message that has failed before is alone from the start.
   *
   * @param lane the consumer whose calls come one after the other, so that others can be sent ahead; default none can.
   */
  call(event: RabbitMQEvent, lane?: number): Promise<unknown> {
    return this.#guilty(event, () => this.#enter(event, isSuspect(event), lane));
  }

  /**
   * As `call`, for a call that begins when the one in front of it in its lane has ended without a failure.
   *
   * @param took receives the milliseconds that it took in its process, unless that ended before.
   * @returns undefined if no call of the lane is in flight in the process that takes calls now, or another call waits to be alone.
   * @throws NotBegunError if it does not begin.
   */
  ahead(event: RabbitMQEvent, lane: number, took?: (ms: number) => void): Promise<unknown> | undefined {
    const leave = this.#gate.enterNow();
    const result = leave && this.#lineage.serving?.ahead(event, lane, took);
    if (!leave || !result) {
      leave?.();
      return undefined;
    }
    return this.#guilty(event, () => result.finally(leave));
  }

  /** Takes back the calls of a lane that have not begun. */
  recall(lane: number): void {
    this.#lineage.serving?.recall(lane);
  }

  /**
   * Calls the function at most once, for a call over RPC: it fails if its process ends, whichever call has ended it.
   *
   * @param until deadline of the caller in milliseconds since 1970, default none.
   */
  callOnce(event: RabbitMQEvent, until?: number): Promise<unknown> {
    const ms = until === undefined ? undefined : until - Date.now();
    const late = () => new FunctionLateError(this.#functionName);
    return this.#counted(async () => {
      const life = await withDeadline(this.#lineage.responsive(), { ms, late });
      return life.call(event, { once: true, until });
    });
  }

  /** Runs all further calls with the code as it is now, as `Lineage.reload`. */
  reload(): Promise<void> {
    return this.#lineage.reload();
  }

  /** Ends the process, and the calls that are still in flight. */
  stop(): Promise<void> {
    return this.#lineage.stop();
  }

  /** Makes a call, and again alone if its process ended with others in flight. */
  #guilty(event: RabbitMQEvent, call: () => Promise<unknown>): Promise<unknown> {
    return this.#counted(() =>
      call().catch((error: unknown) => {
        if (error instanceof SharedEndError) return this.#enter(event, true);
        throw error;
      }),
    );
  }

  async #enter(event: RabbitMQEvent, alone: boolean, lane?: number): Promise<unknown> {
    // Without a wait if possible, so that the next call can be sent ahead of this one's end.
    const leave = (!alone && this.#gate.enterNow()) || (await this.#gate.enter(alone));
    try {
      const { serving } = this.#lineage;
      const life = serving?.isResponsive ? serving : await this.#lineage.responsive();
      return await life.call(event, { lane });
    } finally {
      leave();
    }
  }

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await call();
    } finally {
      this.#calls -= 1;
    }
  }
}
