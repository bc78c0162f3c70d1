/** A number of 15 digits, without an exponent, is always held. */
const alwaysHeld = 15;
/** `toPrecision` gives at most this many digits. */
const maxPrecision = 100;
const zero = 0x30;

/**
 * Whether a number of JavaScript gives the same digits back. Zeros at the end do not count. A double may have more digits than
 * JavaScript writes, as C's `%.17g` does. A whole number comes from a type of integers, so that its reader may need each digit.
 */
export function isHeld(text: string): boolean {
  if (text.length <= alwaysHeld && !/e/i.test(text)) return true;
  const value = Number(text);
  if (String(value) === text) return true;
  const digits = significant(text);
  if (digits === '') return true;
  if (!Number.isFinite(value) || value === 0 || digits.length > maxPrecision) return false;
  if (significant(String(value)) === digits) return true;
  return !/^-?\d+$/.test(text) && significant(value.toPrecision(digits.length)) === digits;
}

function significant(text: string): string {
  const digits = text.replace(/e.*$/i, '').replace(/[-.]/g, '');
  // By hand: a regular expression looks for the last zeros from each zero on, which is quadratic.
  let [from, to] = [0, digits.length];
  while (digits.charCodeAt(from) === zero) from += 1;
  while (to > from && digits.charCodeAt(to - 1) === zero) to -= 1;
  return digits.slice(from, to);
}
