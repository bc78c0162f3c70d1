const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

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
  // `Intl` takes longer than the rest of the event.
  if (seconds >= 0) return formatted(date);
  format ??= new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });
  // Newer Unicode data has a narrow no-break space before AM and PM.
  return format.format(date).replaceAll('\u202f', ' ');
}

function formatted(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = date.getUTCHours();
  const day = `${months[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}`;
  const time = `${hours % 12 || 12}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${day}, ${time} ${hours < 12 ? 'AM' : 'PM'}`;
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

const awsForm = /^([A-Z][a-z]{2}) (\d{1,2}), (\d{4,6}), (1[0-2]|[1-9]):(\d\d):(\d\d) ([AP])M$/;

function parseDate(value: string): Date {
  const parts = awsForm.exec(value);
  const month = parts ? months.indexOf(parts[1] as string) : -1;
  if (parts && month >= 0) {
    const [day, year, hour, minute, second] = parts.slice(2, 7).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return new Date(Date.UTC(year, month, day, (hour % 12) + (parts[7] === 'P' ? 12 : 0), minute, second));
  }
  // AWS's text has no time zone and means UTC. Without the suffix it would be read as local time.
  return /[ap]m$/i.test(value) ? new Date(`${value} UTC`) : new Date(value);
}
