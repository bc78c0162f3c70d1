import type { ChildProcess } from 'node:child_process';
import { doneWithin } from '../../base/deadline.ts';
import { FunctionLateError, HostUnavailableError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { blockedError, type Ending, exitOf, readiness, youngMs } from './ending.ts';
import type { LifeOptions, OneCall } from './life-options.ts';
import { type Begun, OpenCalls } from './open-calls.ts';
import { callsOf, startProgram } from './program.ts';
import type { FromProcess, ToProcess } from './protocol.ts';
import { Pulse } from './pulse.ts';
import { fromSent } from './sent-error.ts';

/** Milliseconds by which a process that is not blocked reports its late call before the worker does. */
const reserveMs = 500;
/** Milliseconds for a process to end by itself. */
const exitMs = 1000;

/** One process of a function, from its start to its end. */
export class Life {
  /** Resolves when the function is loaded; rejects with its error if that fails. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Ending>;
  readonly startedAt = performance.now();
  readonly #options: LifeOptions;
  readonly #child: ChildProcess;
  readonly #calls: OpenCalls;
  readonly #pulse: Pulse;
  #readyAt: number | undefined;
  #state: 'starting' | 'ready' | 'retired' | 'ended' = 'starting';
  #isBlocked = false;
  /** An error that no call has caught, or that of a function that cannot be loaded. */
  #error: Error | undefined;

  constructor(options: LifeOptions) {
    const { start, loadMs, fork = startProgram } = options;
    this.#options = options;
    this.#child = fork(options);
    this.#pulse = new Pulse(() => this.#send({ kind: 'ping' }));
    this.#calls = new OpenCalls(callsOf(this.#child), start.functionName, () => this.#pulse.heard());
    const exited = exitOf(this.#child, this.#calls.closed);
    this.ended = exited.then((exit) => this.#end({ error: this.#error, ...exit }));
    const what = `functions.${start.functionName}`;
    const loaded = readiness(this.#child, { what, ended: this.ended, loadMs });
    this.ready = loaded.then(() => {
      this.#state = 'ready';
      this.#readyAt = performance.now();
    });
    this.#child.on('message', (message: FromProcess) => this.#take(message));
    this.ready.catch((error: Error) => {
      this.#error ??= error;
      return this.stop();
    });
    this.#send({ kind: 'start', start });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it takes calls. */
  get isUsable(): boolean {
    return this.#state === 'ready';
  }

  /** Whether it takes no more calls because one was late, or because another process has taken its place. */
  get isRetired(): boolean {
    return this.#state === 'retired';
  }

  /** Whether its event loop turned lately, so that it begins a call at once. */
  get isResponsive(): boolean {
    return this.isUsable && this.#pulse.isFresh;
  }

  /**
   * Resolves when the event loop turns, or when the process takes no more calls. One that does not turn for `ms`, by default as long
   * as a call may take, is replaced.
   */
  async turns(ms = this.#options.timeoutMs + reserveMs): Promise<void> {
    if (this.isResponsive) return;
    if (!(await doneWithin(Promise.race([this.#pulse.turns(), this.ended]), ms))) await this.#retire();
  }

  /**
   * Calls the function. Without `until`, the run of a late call is over when this rejects, because its process has ended.
   *
   * @throws SharedEndError if the process ended with other calls in flight, HostUnavailableError if it was ended because another
   *   call was late, ended soon after its start or takes no calls; otherwise as `inProcess`.
   */
  async call(event: RabbitMQEvent, call: OneCall = {}): Promise<unknown> {
    const { functionName } = this.#options.start;
    if (!this.isUsable) throw new HostUnavailableError(`the process of ${functionName} takes no calls`);
    return this.#inTime(this.#calls.send(event, call), call);
  }

  /**
   * Calls the function when the call in front of it in its lane has ended without a failure; otherwise as `call`.
   *
   * @returns undefined if no call of the lane is in flight here.
   * @throws NotBegunError if it does not begin.
   */
  ahead(event: RabbitMQEvent, lane: number, took?: (ms: number) => void): Promise<unknown> | undefined {
    if (!this.isUsable) return undefined;
    return this.#calls.ahead(event, lane, took)?.then((begun) => this.#inTime(begun, {}));
  }

  /** Takes back the calls that have not begun. @param lane default all lanes. */
  recall(lane?: number): void {
    this.#calls.recall(lane);
  }

  /** Waits for the result of a call, until it is late. */
  async #inTime(begun: Begun, { once = false, until }: OneCall): Promise<unknown> {
    const { start, timeoutMs } = this.#options;
    this.#pulse.sent();
    const limit = Date.now() + timeoutMs;
    const callerLimit = until !== undefined && until < limit ? until : undefined;
    const ms = (callerLimit === undefined ? timeoutMs : callerLimit - Date.now()) + reserveMs;
    try {
      return await this.#calls.inTime(begun, ms);
    } catch (error) {
      if (!(error instanceof FunctionLateError)) throw error;
      const others = this.#calls.size;
      if (callerLimit === undefined) await this.#retire();
      // If it blocks the event loop, it still does so after its caller has gone.
      else void this.turns(limit - Date.now() + reserveMs);
      throw this.#isBlocked && !once ? blockedError(start.functionName, others) : error;
    }
  }

  /** Takes no more calls, and ends when those in flight have ended; each has its time limit. */
  async leave(): Promise<void> {
    this.#state = 'retired';
    this.#calls.recall();
    await Promise.race([this.#calls.none(), this.ended]);
    await this.stop();
  }

  /** Ends the process, by force after a second. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    if (!(await doneWithin(this.ended, exitMs))) this.#child.kill('SIGKILL');
    await this.ended;
  }

  #take(message: FromProcess): void {
    this.#pulse.heard();
    if (message.kind === 'stray') this.#error = fromSent(message.error);
    else this.#options.report(message);
    if (message.kind === 'ignored') void this.#retire();
  }

  async #retire(): Promise<void> {
    if (this.isUsable) {
      this.#state = 'retired';
      this.#options.retired();
      this.#calls.recall();
      this.#isBlocked = !(await doneWithin(Promise.race([this.#pulse.turns(), this.ended]), reserveMs));
      // If the event loop is blocked, no other call can end.
      if (this.#isBlocked) this.#options.report({ kind: 'blocked', ms: Math.round(this.#pulse.silentMs) });
      else
        await doneWithin(Promise.race([this.#calls.none(), this.ended]), this.#calls.graceMs(this.#options));
      this.#child.kill('SIGKILL');
    }
    await this.ended;
  }

  #end(ending: Omit<Ending, 'calls' | 'young' | 'ageMs'>): Ending {
    const young = this.#readyAt === undefined || performance.now() - this.#readyAt < youngMs;
    const ended = { ...ending, calls: this.#calls.size, young, ageMs: performance.now() - this.startedAt };
    this.#calls.fail(ended, this.isRetired);
    if (!this.isRetired) this.#state = 'ended';
    return ended;
  }

  #send(message: ToProcess): void {
    // If the process has ended, its calls fail when that is known.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}
