import { WarrenError } from '../base/errors.ts';
import type { FunctionDefinition } from '../event-source/mapping.ts';
import { readCron } from './cron.ts';

/** A function, and when it is called. */
export type Scheduled = { functionName: string } & (
  | {
      /** Milliseconds from the start of one call to the start of the next. */
      everyMs: number;
    }
  | {
      /** Such as `cron(0 12 * * ? *)`. */
      cron: string;
      /** Returns the first time after another; undefined if there is none. */
      next(after: Date): Date | undefined;
    }
);

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * Reads the schedules of functions from the `schedule` events of a resolved serverless.yml. Events that are not `enabled` are
 * left out.
 *
 * @throws WarrenError ERR_CONFIG for anything but a rate and a cron expression.
 */
export function readSchedules(functions: Readonly<Record<string, FunctionDefinition>>): Scheduled[] {
  return Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.flatMap((event) => {
      if (typeof event !== 'object' || event === null || !('schedule' in event)) return [];
      const { schedule } = event as { schedule: unknown };
      const {
        rate,
        enabled = true,
        timezone,
      } = typeof schedule === 'string' ? ({ rate: schedule } as ScheduleEvent) : (schedule as ScheduleEvent);
      if (enabled === false || enabled === 'false') return [];
      return [rate]
        .flat()
        .map((each) => ({ functionName, ...readRate(functionName, String(each), timezone) }));
    }),
  );
}

interface ScheduleEvent {
  rate?: unknown;
  enabled?: unknown;
  /** Of EventBridge Scheduler (`method: scheduler`). */
  timezone?: string;
}

function readRate(functionName: string, text: string, timezone: string | undefined) {
  const [, expression] = /^cron\((.+)\)$/.exec(text) ?? [];
  if (expression === undefined) return { everyMs: rateMs(functionName, text) };
  try {
    const next = readCron(expression, timezone);
    // croner reads the time zone at its first use.
    next(new Date());
    return { cron: text, next };
  } catch (cause) {
    const expected = 'expected an expression of AWS such as cron(0 12 * * ? *)';
    const problem = `functions.${functionName}: schedule: ${expected}, got ${text}: ${thrownMessage(cause)}`;
    throw new WarrenError('ERR_CONFIG', problem, { cause });
  }
}

const thrownMessage = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

function rateMs(functionName: string, rate: string): number {
  const [, count, unit = ''] = /^rate\(([1-9]\d*) (minute|hour|day)s?\)$/.exec(rate) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  const expected = 'expected a rate such as rate(5 minutes), or cron(0 12 * * ? *)';
  throw new WarrenError('ERR_CONFIG', `functions.${functionName}: schedule: ${expected}, got ${rate}`);
}
