import { randomUUID } from 'node:crypto';
import { setTimeout as pauseFor } from 'node:timers/promises';
import { WarrenError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type LocalFunction, localFunction, type ProcessHost } from './load.ts';

export interface Scheduled {
  functionName: string;
  /** Between the beginnings of two calls. */
  everyMs: number;
}

export interface SchedulerOptions extends ProcessHost {
  /** Which functions, default all that have a schedule. */
  functions?: readonly string[];
  log: Log;
}

/** Calls functions on their schedules, in this process. */
export interface Scheduler {
  scheduled: readonly Scheduled[];
  /** Calls each function once, one after the other. Resolves with whether all succeeded. */
  once(): Promise<boolean>;
  /** Calls each at once, and then on its schedule. */
  start(): void;
  /**
   * Begins no more calls.
   *
   * @param deadlineMs how long those under way may take, in milliseconds.
   * @returns whether all had ended by then.
   */
  stop(deadlineMs: number): Promise<boolean>;
}

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * Reads the schedules of functions from the `schedule` events of a resolved serverless.yml; those that are not `enabled`
 * are left out.
 *
 * @throws WarrenError ERR_CONFIG for what is not a rate: AWS's cron expressions are not understood here.
 */
export function readSchedules(
  functions: Readonly<Record<string, { events?: readonly unknown[] | undefined }>>,
): Scheduled[] {
  return Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.flatMap((event) => {
      if (typeof event !== 'object' || event === null || !('schedule' in event)) return [];
      const { schedule } = event as { schedule: unknown };
      const { rate, enabled = true } =
        typeof schedule === 'string'
          ? { rate: schedule }
          : (schedule as { rate?: unknown; enabled?: unknown });
      if (enabled === false || enabled === 'false') return [];
      return [rate].flat().map((each) => ({ functionName, everyMs: rateMs(functionName, each) }));
    }),
  );
}

function rateMs(functionName: string, rate: unknown): number {
  const [, count, unit = ''] = /^rate\(([1-9]\d*) (minute|hour|day)s?\)$/.exec(String(rate)) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  const expected = 'expected a rate such as rate(5 minutes)';
  throw new WarrenError(
    'ERR_CONFIG',
    `functions.${functionName}: schedule: ${expected}, got ${String(rate)}`,
  );
}

/**
 * Makes a scheduler. A function is never called twice at the same time by one scheduler: a call that takes longer than its
 * rate delays the next. Several schedulers do no harm where the functions share their work, as ours do.
 *
 * @throws WarrenError ERR_CONFIG where a function has no schedule, or a handler's file is missing.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { manifest, functions: wanted = [], log } = options;
  const all = readSchedules(manifest.functions);
  const unknown = wanted.filter((name) => !all.some(({ functionName }) => functionName === name));
  if (unknown.length > 0) {
    const expected = all.map(({ functionName }) => functionName).join(', ');
    throw new WarrenError('ERR_CONFIG', `functions: expected some of ${expected}, got ${unknown.join(', ')}`);
  }
  const scheduled = all.filter(({ functionName }) => wanted.length === 0 || wanted.includes(functionName));
  const targets = new Map(
    scheduled.map(({ functionName }) => [functionName, localFunction(options, functionName)]),
  );
  const stopping = new AbortController();
  const running: Promise<void>[] = [];

  const callOne = async (functionName: string): Promise<boolean> => {
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      await (targets.get(functionName) as LocalFunction).call(scheduledEvent());
      log.info({ function: functionName, ms: ms() }, 'scheduled call done');
      return true;
    } catch (error) {
      // The next call comes by itself; the log is where an operator is told.
      log.error({ function: functionName, ms: ms(), err: error }, 'scheduled call failed');
      return false;
    }
  };
  const loop = async ({ functionName, everyMs }: Scheduled): Promise<void> => {
    const { signal } = stopping;
    for (let next = performance.now(); !signal.aborted; ) {
      await callOne(functionName);
      // What was missed is not made up for.
      next = Math.max(next + everyMs, performance.now());
      await pauseUntil(next, signal);
    }
  };

  return {
    scheduled,
    async once() {
      let succeeded = true;
      for (const { functionName } of scheduled) succeeded = (await callOne(functionName)) && succeeded;
      return succeeded;
    },
    start: () => void running.push(...scheduled.map(loop)),
    async stop(deadlineMs) {
      stopping.abort();
      const done = Promise.all(running).then(() => true);
      return Promise.race([done, pauseFor(deadlineMs, false, { ref: false })]);
    },
  };
}

/** A timer of more than 24 days would go off at once: its milliseconds are 32 bits. */
const longestTimerMs = 86_400_000;

/** Waits until a time by `performance.now`, or until it is aborted. */
async function pauseUntil(time: number, signal: AbortSignal): Promise<void> {
  for (let left = time - performance.now(); left > 0 && !signal.aborted; left = time - performance.now())
    await pauseFor(Math.min(left, longestTimerMs), undefined, { signal }).catch(() => undefined);
}

/** EventBridge's event for a schedule. */
function scheduledEvent() {
  return {
    ...{ version: '0', id: randomUUID(), 'detail-type': 'Scheduled Event', source: 'aws.events' },
    ...{ account: '000000000000', region: 'local', resources: [], detail: {} },
    time: `${new Date().toISOString().slice(0, 19)}Z`,
  };
}
