import { randomUUID } from 'node:crypto';

/** Deeper than any real message. Recursion over a value exhausts the stack at some thousands of levels. */
export const maxNested = 100;
/** Number of values in one text: objects, arrays, and what is in them. A text of a few megabytes can make a million of them. */
export const maxValues = 100_000;

export interface JsonOptions {
  maxNested?: number;
  maxValues?: number;
  /** Keeps also the digits of numbers that JavaScript would write in another way, such as 1.10, 1E3 and -0; default false. */
  exact?: boolean;
}

/**
 * A number of a JSON text that JavaScript's own numbers cannot hold, such as 9007199254740993 or 1e400, or a whole number that they
 * would write with other digits, such as 1152921504606846976, which is 2^60 and would become 1152921504606847000. `String(it)` and
 * `stringifyJson` give the digits that were sent, `BigInt(it)` is the exact value of a whole number, and `Number(it)` rounds.
 */
export class JsonNumber {
  readonly digits: string;

  /** @param digits the number as JSON writes it. */
  constructor(digits: string) {
    this.digits = digits;
  }

  toString(): string {
    return this.digits;
  }

  /** For `JSON.stringify`, which can write the digits only as a string. `stringifyJson` writes them as a number. */
  toJSON(): string {
    metJsonNumber = true;
    return this.digits;
  }
}

/** Whether `JSON.stringify` met a JsonNumber. It runs at once and without a pause, so that a variable is enough. */
let metJsonNumber = false;

/**
 * Parses JSON (RFC 8259) from an untrusted sender. A byte order mark in front is ignored. A number that JavaScript cannot hold
 * becomes a JsonNumber, and is never rounded. With `exact`, `stringifyJson` writes every number of the value with the digits of
 * the text.
 *
 * @throws SyntaxError if the text is not JSON, or is beyond the limits: by default, arrays and objects may be nested 100 levels
 *   deep, and there may be 100,000 values.
 */
export function parseJson(text: string, options: JsonOptions = {}): unknown {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  const numbers = scan(json, { maxNested, maxValues, exact: false, ...options });
  const value = JSON.parse(json) as unknown;
  if (numbers.length === 0) return value;
  // No text of a sender can contain this mark.
  const mark = randomUUID();
  return JSON.parse(marked(json, numbers, mark), (_key, part: unknown) =>
    typeof part === 'string' && part.startsWith(mark) ? new JsonNumber(part.slice(mark.length)) : part,
  );
}

/**
 * Writes a value as JSON, and each JsonNumber in it with its digits.
 *
 * @param space number of spaces by which each level is indented; default none.
 * @returns the text; `null` for undefined and for functions.
 */
export function stringifyJson(value: unknown, space?: number): string {
  metJsonNumber = false;
  const text = JSON.stringify(value, undefined, space) ?? 'null';
  if (!metJsonNumber) return text;
  const mark = randomUUID();
  const replacer = function (this: Record<string, unknown>, key: string, part: unknown): unknown {
    const original = this[key];
    return original instanceof JsonNumber ? mark + original.digits : part;
  };
  return JSON.stringify(value, replacer, space).replaceAll(new RegExp(`"${mark}([^"]*)"`, 'g'), '$1');
}

type Span = readonly [from: number, to: number];

/** Finds the numbers that become JsonNumbers, and refuses texts beyond the limits. Brackets in strings are ignored. */
function scan(text: string, { exact, ...limits }: Required<JsonOptions>): Span[] {
  const numbers: Span[] = [];
  let [depth, values] = [0, 1];
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === quote) at = endOfString(text, at);
    else if (char === comma) values += 1;
    else if (char === openBracket || char === openBrace) {
      depth += 1;
      values += 1;
      if (depth > limits.maxNested)
        throw new SyntaxError(`expected JSON nested at most ${limits.maxNested} deep`);
    } else if (char === closeBracket || char === closeBrace) depth -= 1;
    else if (char === minus || isDigit(char)) {
      const to = endOfNumber(text, at);
      const digits = text.slice(at, to);
      if (exact ? String(Number(digits)) !== digits : !isHeld(digits)) numbers.push([at, to]);
      at = to - 1;
    }
    if (values > limits.maxValues)
      throw new SyntaxError(`expected JSON with at most ${limits.maxValues} values`);
  }
  return numbers;
}

const [quote, comma, openBracket, openBrace, closeBracket, closeBrace] = [0x22, 0x2c, 0x5b, 0x7b, 0x5d, 0x7d];
const [minus, backslash, zero] = [0x2d, 0x5c, 0x30];

const isDigit = (char: number): boolean => char >= 0x30 && char <= 0x39;

/** @returns the place of the string's last quote. */
function endOfString(text: string, from: number): number {
  let at = from;
  do {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
  } while (isEscaped(text, at));
  return at;
}

/** Whether an odd number of backslashes precedes the quote. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === backslash) before -= 1;
  return (at - before) % 2 === 0;
}

const numberCharacters = /[\d.eE+-]+/y;

/** @returns the place after the number. */
function endOfNumber(text: string, from: number): number {
  numberCharacters.lastIndex = from;
  numberCharacters.test(text);
  return numberCharacters.lastIndex;
}

/** A number of 15 digits, without an exponent, is always held. */
const alwaysHeld = 15;
/** `toPrecision` gives at most this many digits. */
const maxPrecision = 100;

/**
 * Whether a number of JavaScript gives the same digits back. Zeros at the end do not count. A double may have more digits than
 * JavaScript writes, as C's `%.17g` does. A whole number comes from a type of integers, so that its reader may need each digit.
 */
function isHeld(text: string): boolean {
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

function marked(text: string, numbers: readonly Span[], mark: string): string {
  let [result, end] = ['', 0];
  for (const [from, to] of numbers) {
    result += `${text.slice(end, from)}"${mark}${text.slice(from, to)}"`;
    end = to;
  }
  return result + text.slice(end);
}
