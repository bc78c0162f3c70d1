import { WarrenError } from './errors.ts';

const unitMs = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
} as const;

type Unit = keyof typeof unitMs;

/** A length of time as text, such as `3 days` or `1.5 hours`. A day has 24 hours. */
export type Duration = `${number} ${Unit | `${Unit}s`}`;

const form = new RegExp(`^(\\d+(?:\\.\\d+)?) (${Object.keys(unitMs).join('|')})s?$`);

/**
 * Reads a length of time.
 *
 * @param field its name, for the error.
 * @param given milliseconds, or a text.
 * @param maxMs limit in milliseconds.
 * @returns milliseconds.
 * @throws WarrenError ERR_CONFIG for anything but a number of milliseconds or a text with a unit, from 0 up to the limit.
 */
export function durationMs(field: string, given: number | string, maxMs: number): number {
  const [, count, unit] = form.exec(String(given)) ?? [];
  const ms = typeof given === 'number' ? given : Number(count) * (unitMs[unit as Unit] ?? Number.NaN);
  if (ms >= 0 && ms <= maxMs) return ms;
  const expected = `expected milliseconds or a text such as "3 days", of at most ${Math.floor(maxMs / unitMs.day)} days`;
  const got = typeof given === 'string' ? JSON.stringify(given) : String(given);
  throw new WarrenError('ERR_CONFIG', `${field}: ${expected}, got ${got}`);
}
