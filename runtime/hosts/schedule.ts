import { randomUUID } from 'node:crypto';
import { setTimeout as pauseFor } from 'node:timers/promises';
import { doneWithin } from '../base/deadline.ts';
import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Host, StopOptions } from './host.ts';
import { type LocalFunction, localFunctions, type ProcessHost } from './load.ts';
import { readSchedules, type Scheduled } from './rates.ts';
import type { Turn } from './turn.ts';

export interface SchedulerOptions extends ProcessHost {
  /** The functions to call, default every function with a schedule. */
  functions?: readonly string[];
  log: Log;
  /** Lets one of several schedulers call the functions; default this one does. */
  turn?: Pick<Turn, 'isMine' | 'close'> | undefined;
  /** Milliseconds between the first calls of two functions with a rate, whose processes then do not all load at once; default 0. */
  apartMs?: number | undefined;
  /** Milliseconds since 1970, default the clock of this machine. */
  now?: () => number;
}

/**
 * Calls functions on their schedules, in this process. One scheduler never calls a function twice at the same time: a call that
 * takes longer than its rate delays the next. Several schedulers need a `turn`, unless the functions share their work.
 */
export class Scheduler implements Host {
  readonly scheduled: readonly Scheduled[];
  readonly #log: Log;
  readonly #now: () => number;
  readonly #turn: SchedulerOptions['turn'];
  readonly #apartMs: number;
  readonly #targets: ReadonlyMap<string, LocalFunction>;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];

  /** @throws WarrenError ERR_CONFIG if a function has no schedule, or as `localFunctions`. */
  constructor(options: SchedulerOptions) {
    const { manifest, functions: wanted = [], log, now = Date.now } = options;
    const all = readSchedules(manifest.functions);
    const unknown = wanted.filter((name) => !all.some(({ functionName }) => functionName === name));
    if (unknown.length > 0) {
      const expected = all.map(({ functionName }) => functionName).join(', ');
      throw new WarrenError(
        'ERR_CONFIG',
        `functions: expected some of ${expected}, got ${unknown.join(', ')}`,
      );
    }
    this.#log = log;
    this.#now = now;
    this.#turn = options.turn;
    this.#apartMs = options.apartMs ?? 0;
    this.scheduled = all.filter(({ functionName }) => wanted.length === 0 || wanted.includes(functionName));
    this.#targets = localFunctions(
      options,
      this.scheduled.map(({ functionName }) => functionName),
    );
  }

  /** Calls each function once, one after the other. Resolves with whether all calls succeeded. */
  async once(): Promise<boolean> {
    let succeeded = true;
    for (const { functionName } of this.scheduled) succeeded = (await this.#call(functionName)) && succeeded;
    return succeeded;
  }

  /**
   * Calls each function with a rate at once (or `apartMs` after the one before), and then on its schedule; one with a cron expression
   * at its times only.
   */
  async start(): Promise<void> {
    let begins = performance.now();
    for (const each of this.scheduled) {
      this.#running.push('everyMs' in each ? this.#repeat(each, begins) : this.#callAtTimes(each));
      if ('everyMs' in each) begins += this.#apartMs;
    }
  }

  /** Begins no more calls, and waits for those in flight. */
  async stop({ deadlineMs }: StopOptions = {}): Promise<boolean> {
    this.#stopping.abort();
    const done = await doneWithin(Promise.all(this.#running), deadlineMs);
    await this.#turn?.close();
    return done;
  }

  async #repeat(
    { functionName, everyMs }: Extract<Scheduled, { everyMs: number }>,
    begins: number,
  ): Promise<void> {
    const { signal } = this.#stopping;
    await pauseUntil(begins, signal);
    for (let next = begins; !signal.aborted; ) {
      await this.#call(functionName);
      // A missed call is not made up for.
      next = Math.max(next + everyMs, performance.now());
      await pauseUntil(next, signal);
    }
  }

  async #callAtTimes({ functionName, next }: Extract<Scheduled, { cron: string }>): Promise<void> {
    const { signal } = this.#stopping;
    for (let at = next(new Date(this.#now())); at; ) {
      // The clock is read again and again, because it may be set.
      const left = () => (at as Date).getTime() - this.#now();
      while (left() > 0 && !signal.aborted) await pause(Math.min(left(), clockMs), signal);
      if (signal.aborted) return;
      await this.#call(functionName, at);
      // A missed call is not made up for, and a clock that was set back does not repeat one.
      at = next(new Date(Math.max(this.#now(), at.getTime())));
    }
  }

  async #call(functionName: string, at = new Date(this.#now())): Promise<boolean> {
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      if (this.#turn && !(await this.#turn.isMine())) {
        this.#log.info({ function: functionName }, 'scheduled call left to another process');
        return true;
      }
      await (this.#targets.get(functionName) as LocalFunction).call(scheduledEvent(at));
      this.#log.info({ function: functionName, ms: ms() }, 'scheduled call done');
      return true;
    } catch (error) {
      // The next call follows by itself; the log informs the operator.
      this.#log.error({ function: functionName, ms: ms(), err: error }, 'scheduled call failed');
      return false;
    }
  }
}

/** Milliseconds after which a pause reads the clock again. */
const clockMs = 60_000;

/** A timer of more than 24 days would fire at once, because Node keeps its milliseconds in 32 bits. */
const maxTimerMs = 86_400_000;

/** Waits until a time by `performance.now`, or until the signal aborts. */
async function pauseUntil(time: number, signal: AbortSignal): Promise<void> {
  for (let left = time - performance.now(); left > 0 && !signal.aborted; left = time - performance.now())
    await pause(Math.min(left, maxTimerMs), signal);
}

/** Waits, or until the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await pauseFor(ms, undefined, { signal }).catch(() => undefined);
}

/** EventBridge's event for a schedule. */
function scheduledEvent(at: Date) {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: '000000000000',
    region: 'local',
    resources: [],
    detail: {},
    time: `${at.toISOString().slice(0, 19)}Z`,
  };
}
