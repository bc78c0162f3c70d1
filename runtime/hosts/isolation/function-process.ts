import type { Log } from '../../base/log.ts';
import { backoff, pause } from '../../event-source/backoff.ts';
import { HostUnavailableError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { repeatFailure } from '../../messages/failure-events.ts';
import { type Ending, endedText, SharedEndError } from './ending.ts';
import { Gate } from './gate.ts';
import { Life, type LifeOptions } from './life.ts';
import type { ProcessObserver } from './process-observer.ts';
import type { FromProcess } from './protocol.ts';
import { isSuspect } from './suspect.ts';

export interface FunctionProcessOptions extends Omit<LifeOptions, 'report' | 'retired'> {
  log: Log;
  observer: ProcessObserver;
}

/** Milliseconds after which a process counts as healthy, so that another follows it at once. */
const healthyMs = 10_000;
/** Longest pauses in milliseconds before another process: after a crash, whose message is paced as well, and if it cannot load. */
const pauseMs = { crashed: 1000, unusable: 30_000 };

/** A process for a function, and another one whenever it ends. */
export class FunctionProcess {
  readonly #options: FunctionProcessOptions;
  readonly #gate = new Gate();
  readonly #stopping = new AbortController();
  readonly #lives = new Set<Life>();
  #current: Promise<Life>;
  #calls = 0;
  #failures = 0;

  constructor(options: FunctionProcessOptions) {
    this.#options = options;
    this.#current = Promise.reject(new HostUnavailableError('not started'));
    this.#current.catch(() => undefined);
  }

  /** Calls that are in flight or wait. */
  get calls(): number {
    return this.#calls;
  }

  /** Starts the first process; throws the error of a function that cannot be loaded. */
  async start(): Promise<void> {
    const life = this.#begin();
    this.#current = life.ready.then(() => life);
    try {
      await this.#current;
    } catch (error) {
      await this.stop();
      throw error;
    }
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
    return this.#counted(async () => (await this.#process()).call(event, { once: true, until }));
  }

  /** Ends the process, and the calls that are still in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#lives].map((life) => life.stop()));
  }

  async #enter(event: RabbitMQEvent, alone: boolean): Promise<unknown> {
    const leave = await this.#gate.enter(alone);
    try {
      return await (await this.#process()).call(event);
    } finally {
      leave();
    }
  }

  #process(): Promise<Life> {
    return this.#current.catch((cause: unknown) => {
      throw new HostUnavailableError(`${this.#options.start.functionName} has no process`, { cause });
    });
  }

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await call();
    } finally {
      this.#calls -= 1;
    }
  }

  #begin(): Life {
    const { start, observer } = this.#options;
    const { functionName } = start;
    const since = performance.now();
    const life = new Life({
      ...this.#options,
      report: (message) => this.#report(message),
      retired: () => {
        this.#options.log.warn(
          { function: functionName, pid: life.pid },
          'a call took too long, replacing its process',
        );
        this.#replace(0);
      },
    });
    let unusable: unknown;
    life.ready.catch((error: unknown) => {
      unusable = error;
    });
    this.#lives.add(life);
    observer.running?.(functionName, 1);
    void life.ended.then((ending) => {
      this.#lives.delete(life);
      observer.running?.(functionName, -1);
      this.#failures = performance.now() - since < healthyMs ? this.#failures + 1 : 0;
      if (!life.isRetired) this.#ended(life, ending, unusable);
    });
    return life;
  }

  #ended(life: Life, ending: Ending, unusable: unknown): void {
    const { log, start, observer } = this.#options;
    observer.usage?.(start.functionName, this);
    if (this.#stopping.signal.aborted) return;
    const err = ending.error ?? unusable;
    log.error(
      { function: start.functionName, pid: life.pid, ...(err !== undefined && { err }) },
      `${endedText(start.functionName, ending)}, starting another`,
    );
    const most = unusable === undefined ? pauseMs.crashed : pauseMs.unusable;
    this.#replace(this.#failures === 0 ? 0 : backoff(this.#failures, 50, most));
  }

  #replace(delayMs: number): void {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    this.#options.observer.restarted?.(this.#options.start.functionName);
    this.#current = this.#another(delayMs, signal);
    this.#current.catch(() => undefined);
  }

  async #another(delayMs: number, signal: AbortSignal): Promise<Life> {
    if (delayMs > 0) await pause(delayMs, signal);
    if (signal.aborted) throw new HostUnavailableError('the worker is stopping');
    const life = this.#begin();
    await life.ready;
    return life;
  }

  #report(message: FromProcess): void {
    const { log, observer, start } = this.#options;
    const { functionName } = start;
    if (message.kind === 'usage') observer.usage?.(functionName, this, message.usage);
    else if (message.kind === 'copied') repeatFailure(message.message);
    else if (message.kind === 'blocked') {
      observer.blocked?.(functionName);
      log.warn({ function: functionName, ms: message.ms }, 'a call blocked the event loop of its process');
    }
  }
}
