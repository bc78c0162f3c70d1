// Created by the event source and not at the cold start of each function: it takes as long as the rest of the runtime.
let format: Intl.DateTimeFormat | undefined;

/**
 * Formats a timestamp as AWS does: `Jan 1, 1970, 12:33:41 AM`, in UTC.
 *
 * @param seconds since 1970.
 * @returns null for a number that is no date.
 */
export function toTimestamp(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  format ??= new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });
  // Newer Unicode data has a narrow no-break space before AM and PM.
  return format.format(date).replaceAll('\u202f', ' ');
}

/**
 * Timestamps in seconds reach this number in the year 5138. A larger one is in milliseconds: AMQP's timestamp has seconds, but
 * many producers set `Date.now()`.
 */
const millisecondsFrom = 100_000_000_000;

/**
 * Reads a timestamp in AWS's form, in ISO 8601, or as a number of seconds or milliseconds. Milliseconds that were formatted as if
 * they were seconds (a date in the year 58879) are read as milliseconds too.
 *
 * @returns undefined if it is missing, unreadable, or before 1970, which AMQP cannot express: no decision depends on it.
 */
export function fromTimestamp(value: string | number | null | undefined): Date | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  const date =
    typeof value === 'number' ? new Date(value * 1000) : parseDate(value.replaceAll('\u202f', ' '));
  const seconds = date.getTime() / 1000;
  if (seconds >= millisecondsFrom) return new Date(seconds);
  return seconds >= 0 ? date : undefined;
}

function parseDate(value: string): Date {
  // AWS's text has no time zone and means UTC. Without the suffix it would be read as local time.
  return /[ap]m$/i.test(value) ? new Date(`${value} UTC`) : new Date(value);
}
