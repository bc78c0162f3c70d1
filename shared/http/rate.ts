import * as z from 'zod';

/** At most `count` in `seconds`, at once or spread. */
export interface Rate {
  count: number;
  seconds: number;
}

const units = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;
const expected = 'expected a number and its period, such as 600/minute (or second, hour or day), or off';

/**
 * A variable that limits how often each user may do something: `600/minute`, or `off`.
 *
 * @param defaultRate the rate if the variable is not set.
 */
export function rateField(defaultRate: string) {
  return z
    .string()
    .default(defaultRate)
    .refine((text) => /^([1-9]\d{0,4}\/(second|minute|hour|day)|off)$/.test(text), { error: expected })
    .transform((text) => {
      const [count, unit] = text.split('/');
      return unit === undefined
        ? undefined
        : { count: Number(count), seconds: units[unit as keyof typeof units] };
    });
}
