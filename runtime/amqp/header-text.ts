/**
 * The text of a header, which another program may have written in any form.
 *
 * @returns undefined for a list or a table. A table may have a field `toString`, and JavaScript throws if it makes a text of that.
 */
export function headerText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const isText = typeof value !== 'object' || Buffer.isBuffer(value) || value instanceof Date;
  return isText ? String(value) : undefined;
}

/** The time that a header contains; an invalid Date for any other header. */
export function headerTime(value: unknown): Date {
  return new Date(headerText(value) ?? Number.NaN);
}
