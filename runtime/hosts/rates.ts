import { type PathPart, ProblemsError } from '../base/problems.ts';
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
    events.filter(isSchedule).flatMap(({ schedule }, nth) => {
      const {
        rate,
        enabled = true,
        timezone,
      } = typeof schedule === 'string' ? ({ rate: schedule } as ScheduleEvent) : (schedule as ScheduleEvent);
      if (enabled === false || enabled === 'false') return [];
      const place = {
        functionName,
        path: ['functions', functionName, 'events', { having: 'schedule', nth }],
      };
      return [rate].flat().map((each) => ({ functionName, ...readRate(place, String(each), timezone) }));
    }),
  );
}

function isSchedule(event: unknown): event is { schedule: unknown } {
  return typeof event === 'object' && event !== null && 'schedule' in event;
}

/** A `schedule` event in serverless.yml. */
interface Place {
  functionName: string;
  path: readonly PathPart[];
}

interface ScheduleEvent {
  rate?: unknown;
  enabled?: unknown;
  /** Of EventBridge Scheduler (`method: scheduler`). */
  timezone?: string;
}

function readRate(place: Place, text: string, timezone: string | undefined) {
  const [, expression] = /^cron\((.+)\)$/.exec(text) ?? [];
  if (expression === undefined) return { everyMs: rateMs(place, text) };
  try {
    const next = readCron(expression, timezone);
    // croner reads the time zone at its first use.
    next(new Date());
    return { cron: text, next };
  } catch (cause) {
    const expected = 'expected an expression of AWS such as cron(0 12 * * ? *)';
    throw wrong(place, `${expected}, got ${text}: ${thrownMessage(cause)}`);
  }
}

const thrownMessage = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

function rateMs(place: Place, rate: string): number {
  const [, count, unit = ''] = /^rate\(([1-9]\d*) (minute|hour|day)s?\)$/.exec(rate) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  const expected = 'expected a rate such as rate(5 minutes), or cron(0 12 * * ? *)';
  throw wrong(place, `${expected}, got ${rate}`);
}

const wrong = ({ functionName, path }: Place, text: string) =>
  new ProblemsError('ERR_CONFIG', [{ path, text: `functions.${functionName}: schedule: ${text}` }]);
