const number = new Intl.NumberFormat('en');
const rates = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const long = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const short = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
});
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

/** `12,345` */
export const count = (value: number): string => number.format(value);

/** `12,345`; a dash if it is not known. */
export const whole = (value: number | null): string => (value === null ? '–' : count(value));

/** `1 dead letter`, `2 dead letters` */
export const deadLetters = (value: number): string =>
  `${count(value)} dead ${value === 1 ? 'letter' : 'letters'}`;

/** A number per second; a dash if it is not known. */
export const rate = (value: number | null): string => (value === null ? '–' : rates.format(value));

/** `512 B`, `1.4 kB`, `2.0 MB` */
export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

/** `840 ms`, `12 s`, `3 min`, `5 h`, `2 d`; a dash if it is not known. */
export function duration(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const steps: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  const [size, unit] = steps.find(([each]) => ms >= each) ?? [1000, 's'];
  return `${Math.floor(ms / size)} ${unit}`;
}

/** `3 min. ago` */
export function ago(at: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ];
  for (const [size, unit] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(seconds, 'second');
}

/** `Nov 29, 2026, 3:10:00 PM` in the time zone of the browser. */
export const time = (at: string): string => long.format(new Date(at));

/** `Nov 29, 3:10 PM` */
export const shortTime = (at: string): string => short.format(new Date(at));

/** A time as its distance from now, and whole in its title; `isWhole` shows both. Another program may have written any text as its time. */
export function When({ at, isWhole = false }: { at: string | null | undefined; isWhole?: boolean }) {
  if (!at) return <span class="muted">unknown</span>;
  if (Number.isNaN(Date.parse(at))) return <span class="muted">{at}</span>;
  return (
    <time dateTime={at} title={`${time(at)} (${at})`}>
      {isWhole ? `${time(at)}, ${ago(at)}` : ago(at)}
    </time>
  );
}
