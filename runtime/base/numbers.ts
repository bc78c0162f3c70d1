import { WarrenError } from './errors.ts';

/** What a number among options has to be. */
export interface NumberRule {
  least: number;
  /** Whether it must be a whole number, as a count. Default: a fraction is right too, as of a time. */
  whole?: true;
  /** Whether Infinity is right, as a limit that never applies. */
  unlimited?: true;
}

/**
 * Checks numbers among options: `Number` of a missing variable is NaN, with which a limit never applies and a timer ends at once.
 *
 * @param options those that are undefined are right, because they have a default.
 * @param rules by the names of the options.
 * @param place in front of the names in the error, such as `policy.`; default nothing.
 * @throws WarrenError ERR_CONFIG that names each wrong option, what was expected and what it is.
 */
export function checkNumbers<Options extends object>(
  options: Options,
  rules: { readonly [Name in keyof Options]?: NumberRule },
  place = '',
): void {
  const problems: string[] = [];
  for (const name in rules) {
    const [value, rule] = [options[name], rules[name]];
    if (value === undefined || !rule || isRight(value, rule)) continue;
    const kind = rule.whole ? 'a whole number' : 'a number';
    problems.push(`${place}${name}: expected ${kind} of at least ${rule.least}, got ${shown(value)}`);
  }
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
}

/** What is left of a time, which is negative when the time is over. Anything else is returned as it is. */
export function leftOf(ms: number): number {
  return ms < 0 ? 0 : ms;
}

function isRight(value: unknown, { least, whole, unlimited }: NumberRule): boolean {
  if (typeof value !== 'number' || !(value >= least)) return false;
  if (value === Number.POSITIVE_INFINITY) return unlimited === true;
  return !whole || Number.isInteger(value);
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));
