import { WarrenError } from '../base/errors.ts';

export interface Scheduled {
  functionName: string;
  /** Milliseconds from the start of one call to the start of the next. */
  everyMs: number;
}

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * Reads the schedules of functions from the `schedule` events of a resolved serverless.yml. Events that are not `enabled` are
 * left out.
 *
 * @throws WarrenError ERR_CONFIG for anything but a rate: AWS's cron expressions are not supported here.
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
