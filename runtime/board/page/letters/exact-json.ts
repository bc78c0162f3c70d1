/** A number that JavaScript cannot hold, with its own digits. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The third argument of a reviver in browsers that know the source of a value. */
interface Source {
  source?: string;
}

/**
 * Parses JSON. A number that would lose digits, such as an id above 2^53, becomes an `ExactNumber`, as in the browser's
 * `JSON.parse` with the source of values.
 *
 * @throws SyntaxError if the text is not JSON.
 */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (...[, value, context]: [string, unknown, Source?]) => {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined) return value;
    return isExact(value, source) ? value : new ExactNumber(source);
  });
}

/** `1.10` and `1e3` are exact, though they are written in another way. */
const isExact = (value: number, source: string): boolean =>
  digitsOf(String(value)) === digitsOf(source) && Number.isFinite(value);

/** The digits of a number without the zeros at its ends, and its power of ten. */
function digitsOf(text: string): string {
  const [number = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', part = ''] = number.replace('-', '').split('.');
  const digits = `${whole}${part}`.replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  return short === '' ? '0' : `${short}e${Number(power) - part.length + digits.length - short.length}`;
}
