import { WarrenError } from '../base/errors.ts';

/** The numbers among the options of a function, each with its least value. */
const least = { concurrency: 1, redeliveries: 0, maxBytes: 1, maxReplyBytes: 1 };

/**
 * Checks the numbers among the options of a function, when it is created: with no message at a time, all of them would count as done,
 * and a limit that is not a number would be none.
 *
 * @throws WarrenError ERR_CONFIG that names each wrong option.
 */
export function checkNumbers(options: { readonly [Name in keyof typeof least]?: number | undefined }): void {
  const problems = (Object.keys(least) as (keyof typeof least)[]).flatMap((name) => {
    const value: unknown = options[name];
    const isWhole = Number.isInteger(value) || value === Number.POSITIVE_INFINITY;
    if (value === undefined || (isWhole && (value as number) >= least[name])) return [];
    return [`${name}: expected a whole number of at least ${least[name]}, got ${shown(value)}`];
  });
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));
