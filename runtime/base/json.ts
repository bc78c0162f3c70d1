import { randomUUID } from 'node:crypto';
import { isHeld } from './held-number.ts';

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
  // Defaults and not a spread, which takes as long as the look at the text.
  const { maxNested: nested = maxNested, maxValues: values = maxValues, exact = false } = options;
  if (!exact && isPlain(json, nested, values)) return JSON.parse(json);
  const numbers = scan(json, { maxNested: nested, maxValues: values, exact });
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

/** A number of JSON with an exponent or more than 15 characters. In front of it is a bracket, a comma, a colon or white space. */
const longNumber = /(?:^|[[,:\s])-?\d(?:[\d.]{15}|[\d.]*e)/i;

/**
 * Whether a text has nothing that `scan` looks for, as most have. It is the cheaper look: each comma and each bracket counts, as if
 * there were no strings, and the string functions of JavaScript find them.
 */
function isPlain(text: string, nested: number, values: number): boolean {
  if (text.length >= values || longNumber.test(text)) return false;
  let left = nested;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) left -= 1;
    if (left < 0) return false;
  }
  return true;
}

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
const [minus, backslash] = [0x2d, 0x5c];

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

function marked(text: string, numbers: readonly Span[], mark: string): string {
  let [result, end] = ['', 0];
  for (const [from, to] of numbers) {
    result += `${text.slice(end, from)}"${mark}${text.slice(from, to)}"`;
    end = to;
  }
  return result + text.slice(end);
}
