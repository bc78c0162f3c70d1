import { Cron } from 'croner';

/** A field of AWS's cron expressions; `+` and other letters are croner's own. */
const fieldForm = /^(?:\?|[\dA-Z*,/#-]+)$/i;

/**
 * Reads an expression of AWS's `cron(...)`: minutes, hours, day of month, month, day of week (1 is Sunday) and year.
 *
 * @param expression without `cron(` and `)`.
 * @param timezone name of a time zone, default UTC, as EventBridge has it.
 * @returns the function that returns the first time after another; undefined if there is none.
 * @throws Error that states what is wrong with the expression.
 */
export function readCron(expression: string, timezone = 'UTC'): (after: Date) => Date | undefined {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 6) throw new Error(`expected 6 fields, got ${fields.length}`);
  const wrong = fields.find((field) => !fieldForm.test(field));
  if (wrong !== undefined) throw new Error(`"${wrong}" is no field of a cron expression`);
  const [, , day = '', , weekday = ''] = fields;
  if ((day === '?') === (weekday === '?')) {
    throw new Error('expected ? for either the day of month or the day of week, and not for both');
  }
  // croner takes 8 for the Sunday after.
  if (/(?:^|[,-])(?:0|[89]|\d\d)/.test(weekday))
    throw new Error(`expected weekdays from 1 to 7, got "${weekday}"`);
  if (fields.some((field) => /(?:^|,)\//.test(field))) throw new Error('expected a start before each /');
  const cron = new Cron(`0 ${expression.trim()}`, {
    timezone,
    mode: '7-part',
    alternativeWeekdays: true,
    // AWS's steps begin at a number: 0/10.
    sloppyRanges: true,
    paused: true,
  });
  return (after) => cron.nextRun(after) ?? undefined;
}
