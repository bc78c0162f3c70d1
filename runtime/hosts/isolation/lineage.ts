import { doneWithin } from '../../base/deadline.ts';
import { pause } from '../../event-source/backoff.ts';
import { HostUnavailableError } from '../../event-source/invoke.ts';
import { repeatFailure } from '../../messages/failure-events.ts';
import { RepeatedClients } from './client-reports.ts';
import { type Ending, endedText, youngMs } from './ending.ts';
import { Life } from './life.ts';
import type { LineageOptions } from './life-options.ts';
import type { FromProcess } from './protocol.ts';
import { Restarts } from './restarts.ts';

/** The processes of a function that follow one another: another one starts whenever one ends. */
export class Lineage {
  readonly #options: LineageOptions;
  readonly #stopping = new AbortController();
  readonly #lives = new Set<Life>();
  readonly #restarts = new Restarts();
  #current: Promise<Life>;
  #serving: Life | undefined;

  constructor(options: LineageOptions) {
    this.#options = options;
    this.#current = this.#none('is not started');
  }

  /** The process that takes calls; undefined before the first one is ready. */
  get serving(): Life | undefined {
    return this.#serving;
  }

  /** Whether it begins a call at once. */
  get isResponsive(): boolean {
    return this.#serving?.isResponsive ?? false;
  }

  /** Whether its processes end again and again without a call, and none takes calls now. */
  get isBroken(): boolean {
    return this.#restarts.isBroken && !this.#serving?.isUsable;
  }

  /** Starts the first process; throws the error of a function that cannot be loaded. */
  async start(): Promise<void> {
    this.#current = this.#another(0, false);
    try {
      await this.#current;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Resolves when it begins a call at once; throws HostUnavailableError if it has no process. */
  async responsive(): Promise<Life> {
    for (;;) {
      const life = await this.#current.catch((cause: unknown) => {
        throw new HostUnavailableError(`${this.#options.start.functionName} has no process`, { cause });
      });
      if (life.isUsable) await life.turns();
      if (life.isUsable) return life;
      if (this.#stopping.signal.aborted) throw new HostUnavailableError('the worker is stopping');
      // A process that is retired has a successor already.
      if (!life.isRetired) await life.ended;
    }
  }

  /**
   * Starts another process with the code as it is now, which takes all further calls. Those in flight end in the old one, which goes
   * on if the new one throws: the error of code that cannot be loaded.
   */
  async reload(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const life = this.#begin(true);
    await life.ready;
    this.#serve(life);
  }

  /** Ends the process, and the calls that are still in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#lives].map((life) => life.stop()));
  }

  /** @param onReload whether the process before it goes on if it ends before it takes calls. */
  #begin(onReload = false): Life {
    const { start, observer, log } = this.#options;
    const { functionName } = start;
    const clients = new RepeatedClients();
    const life = new Life({
      ...this.#options,
      report: (message) => this.#report(message, clients),
      retired: () => {
        log.warn({ function: functionName, pid: life.pid }, 'a call took too long, replacing its process');
        observer.usage?.(functionName, this);
        this.#replace(0, false);
      },
    });
    this.#lives.add(life);
    observer.running?.(functionName, 1);
    void life.ended.then((ending) => {
      this.#lives.delete(life);
      clients.ended();
      observer.running?.(functionName, -1);
      if (!life.isRetired && (!onReload || life === this.#serving)) this.#ended(life, ending);
    });
    return life;
  }

  #ended(life: Life, ending: Ending): void {
    const { log, start, observer } = this.#options;
    observer.usage?.(start.functionName, this);
    // If the first one fails, so does the start.
    if (this.#stopping.signal.aborted || !this.#serving) return;
    const { calls, young, ageMs, error: err } = ending;
    log.error(
      { function: start.functionName, pid: life.pid, ...(err !== undefined && { err }) },
      `${endedText(start.functionName, ending)}, starting another`,
    );
    this.#replace(this.#restarts.ended({ ageMs, hadCalls: calls > 0 }), young);
  }

  /** @param onTrial whether the next process takes calls only when it is no longer young. */
  #replace(delayMs: number, onTrial: boolean): void {
    const { start, observer } = this.#options;
    if (this.#stopping.signal.aborted) {
      this.#current = this.#none('is stopping');
      return;
    }
    observer.restarted?.(start.functionName);
    const next = this.#another(delayMs, onTrial);
    next.catch(() => undefined);
    // Calls do not wait for a process that may not live either.
    this.#current = this.#restarts.isOwnFault ? this.#none('ended without a call') : next;
  }

  /** Gives all further calls to the process that was started last, and lets the other one finish its own. */
  #serve(life: Life): Life {
    const old = this.#serving;
    const [newer, older] = old?.isUsable && old.startedAt > life.startedAt ? [old, life] : [life, old];
    this.#serving = newer;
    this.#current = Promise.resolve(newer);
    // Later, because a call may have chosen the older one in this turn of the event loop.
    setImmediate(() => older?.isUsable && void older.leave());
    return newer;
  }

  async #another(delayMs: number, onTrial: boolean): Promise<Life> {
    const { signal } = this.#stopping;
    if (delayMs > 0) await pause(delayMs, signal);
    if (signal.aborted) throw new HostUnavailableError('the worker is stopping');
    const life = this.#begin();
    await life.ready;
    if (onTrial && (await doneWithin(life.ended, youngMs)))
      throw new HostUnavailableError('ended soon after its start');
    return this.#serve(life);
  }

  #none(reason: string): Promise<Life> {
    const none = Promise.reject<Life>(
      new HostUnavailableError(`the process of ${this.#options.start.functionName} ${reason}`),
    );
    none.catch(() => undefined);
    return none;
  }

  #report(message: FromProcess, clients: RepeatedClients): void {
    const { log, observer, start } = this.#options;
    const { functionName } = start;
    if (message.kind === 'usage') observer.usage?.(functionName, this, message.usage);
    else if (message.kind === 'copied') repeatFailure(message.message);
    else if (message.kind === 'clients') clients.repeat(message.events);
    else if (message.kind === 'ignored') log.warn({ function: functionName }, 'a handler ignored its signal');
    else if (message.kind === 'blocked') {
      observer.blocked?.(functionName);
      log.warn({ function: functionName, ms: message.ms }, 'a call blocked the event loop of its process');
    }
  }
}
