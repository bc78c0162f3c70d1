import { withDeadline } from '../../base/deadline.ts';
import { FunctionLateError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { SharedEndError } from './ending.ts';
import { Gate } from './gate.ts';
import { Lineage, type LineageOptions } from './lineage.ts';
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
   */
  call(event: RabbitMQEvent): Promise<unknown> {
    return this.#counted(() =>
      this.#enter(event, isSuspect(event)).catch((error: unknown) => {
        if (error instanceof SharedEndError) return this.#enter(event, true);
        throw error;
      }),
    );
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

  async #enter(event: RabbitMQEvent, alone: boolean): Promise<unknown> {
    const leave = await this.#gate.enter(alone);
    try {
      return await (await this.#lineage.responsive()).call(event);
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
