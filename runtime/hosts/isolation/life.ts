import type { ChildProcess } from 'node:child_process';
import { doneWithin, withDeadline } from '../../base/deadline.ts';
import { FunctionLateError, HostUnavailableError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { callError, type Ending, endError, endedText, startError } from './ending.ts';
import { type ProcessProgram, startProgram } from './program.ts';
import { type FromProcess, fromSent, type ProcessStart, type ToProcess } from './protocol.ts';

export interface LifeOptions extends ProcessProgram {
  start: ProcessStart;
  /** Time limit of a call in milliseconds. */
  timeoutMs: number;
  /** Milliseconds that the other calls in flight have to end after one was late. */
  graceMs: number;
  /** Receives what the process reports beside the results of its calls. */
  report: (message: FromProcess) => void;
  /** The process takes no more calls, because one was late. */
  retired: () => void;
}

/** Milliseconds by which a process that is not blocked reports its late call before the worker does. */
const reserveMs = 500;
/** Milliseconds for a process to end by itself. */
const exitMs = 1000;

interface Call {
  /** Whether the call may not be made again. */
  once: boolean;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** One process of a function, from its start to its end. */
export class Life {
  /** Resolves when the function is loaded; rejects with its error if that fails. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Ending>;
  readonly #options: LifeOptions;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Call>();
  #last = 0;
  #state: 'starting' | 'ready' | 'retired' | 'ended' = 'starting';
  #stray: Error | undefined;
  #idle: (() => void) | undefined;

  constructor(options: LifeOptions) {
    const { start } = options;
    this.#options = options;
    const child = startProgram(options);
    this.#child = child;
    this.ended = new Promise((resolve) => {
      // The end of the channel follows the last message of the process, which `exit` may precede.
      const disconnected = new Promise<void>((done) => child.once('disconnect', done));
      child.once('exit', async (code, signal) => {
        await disconnected;
        resolve(this.#end({ code, signal, error: this.#stray }));
      });
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(this.#end({ code: null, signal: null, error }));
      });
    });
    this.ready = new Promise((resolve, reject) => {
      child.on('message', (message: FromProcess) => {
        if (message.kind === 'ready') {
          this.#state = 'ready';
          resolve();
        } else if (message.kind === 'unusable') reject(startError(message.error));
        else this.#take(message);
      });
      void this.ended.then((ending) =>
        reject(ending.error ?? new Error(endedText(start.functionName, ending))),
      );
    });
    this.ready.catch(() => this.stop());
    this.#send({ kind: 'start', start });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it takes calls. */
  get isUsable(): boolean {
    return this.#state === 'ready';
  }

  /** Whether it takes no more calls because one was late. */
  get isRetired(): boolean {
    return this.#state === 'retired';
  }

  /**
   * Calls the function. Without `until`, the run of a late call is over when this rejects, because its process has ended.
   *
   * @param options `once`: the call may not be made again, so it fails if its process ends for another; `until`: deadline of its
   *   caller in milliseconds since 1970, at which the call fails and its process stays.
   * @throws SharedEndError if the process ended with other calls in flight, HostUnavailableError if it was ended because another
   *   call was late or takes no calls; otherwise as `inProcess`.
   */
  async call(
    event: RabbitMQEvent,
    options: { once?: boolean; until?: number | undefined } = {},
  ): Promise<unknown> {
    const { start, timeoutMs } = this.#options;
    const { once = false, until } = options;
    if (!this.isUsable) throw new HostUnavailableError(`the process of ${start.functionName} takes no calls`);
    const limit = Date.now() + timeoutMs;
    this.#last += 1;
    const id = this.#last;
    const result = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, { once, resolve, reject });
    });
    this.#send({ kind: 'call', id, event, until });
    const late = () => new FunctionLateError(start.functionName);
    const ownLimit = withDeadline(result, { ms: timeoutMs + reserveMs, late });
    if (until === undefined || until >= limit) return this.#run(id, ownLimit, 0);
    return withDeadline(this.#run(id, ownLimit, limit), { ms: until - Date.now() + reserveMs, late });
  }

  /** Ends the process, by force if it does not end by itself. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    if (!(await doneWithin(this.ended, exitMs))) this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** @param lateAt when the function's time is over, in milliseconds since 1970; before it, a late call was so for its caller. */
  async #run(id: number, result: Promise<unknown>, lateAt: number): Promise<unknown> {
    try {
      return await result;
    } catch (error) {
      this.#settled(id);
      if (error instanceof FunctionLateError && Date.now() >= lateAt) await this.#retire();
      throw error;
    }
  }

  #take(message: FromProcess): void {
    const { functionName } = this.#options.start;
    if (message.kind === 'done') this.#settled(message.id)?.resolve(message.result);
    else if (message.kind === 'failed') this.#settled(message.id)?.reject(callError(functionName, message));
    else if (message.kind === 'stray') this.#stray = fromSent(message.error);
    else this.#options.report(message);
  }

  #settled(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#idle?.();
    return call;
  }

  async #retire(): Promise<void> {
    if (this.isUsable) {
      this.#state = 'retired';
      this.#options.retired();
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      if (this.#calls.size > 0) await doneWithin(Promise.race([idle, this.ended]), this.#options.graceMs);
      this.#child.kill('SIGKILL');
    }
    await this.ended;
  }

  #end(ending: Ending): Ending {
    const { functionName } = this.#options.start;
    const state = { calls: this.#calls.size, replaced: this.isRetired };
    for (const { once, reject } of this.#calls.values())
      reject(endError(functionName, ending, { ...state, once }));
    this.#calls.clear();
    if (!this.isRetired) this.#state = 'ended';
    return ending;
  }

  #send(message: ToProcess): void {
    // If the process has ended, its calls fail when that is known.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}
