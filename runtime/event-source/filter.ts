import { decodedJson, decodedText } from '../base/decoded-text.ts';
import { WarrenError } from '../base/errors.ts';
import { contentFilter, exactly } from './content-filters.ts';
import { elements, fieldOf, Scope } from './filter-scope.ts';
import { isLeaf, isObject, Place, type Test } from './pattern-place.ts';

/** How a value matches: by a field that is present, or only by fields that are absent. Undefined if it does not match. */
type Match = 'present' | 'absent' | undefined;

/** Matches the value at one place of a body. The scope has all values that this place can mean. */
type Matcher = (value: unknown, scope: Scope) => Match;

/** AWS's limit of patterns for one mapping. */
const maxPatterns = 5;

/**
 * Compiles the filter patterns of AWS's mapping for Amazon MQ. Each is `{ data: <pattern> }`, and the function gets a message that
 * matches any of them. Without patterns, it gets every message.
 *
 * An object is matched against a JSON body and a list against plain text; a body of the other kind does not match, nor does one
 * that is not UTF-8.
 *
 * @throws WarrenError ERR_CONFIG that names each wrong place in a pattern, with the expected and the actual value.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-mq-filtering.html
 */
export function compileFilter(patterns: readonly unknown[]): (content: Buffer) => boolean {
  const problems: string[] = [];
  const place = new Place('filterPatterns', problems);
  if (patterns.length > maxPatterns) place.refuse(`at most ${maxPatterns} patterns`, patterns.length);
  const matchers = patterns.map((pattern, index) => readPattern(pattern, place.at(index)));
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
  if (matchers.length === 0) return () => true;
  return (content) => {
    const body = readBody(content);
    return body !== undefined && matchers.some((matches) => matches(body));
  };
}

type Body = { json: unknown } | { text: string };

/** @returns undefined for bytes that are no text. */
function readBody(content: Buffer): Body | undefined {
  const json = decodedJson(content);
  try {
    if (json !== undefined) return { json: JSON.parse(json) };
  } catch {
    // Not JSON, so it is text.
  }
  const text = decodedText(content);
  return text === undefined ? undefined : { text };
}

function readPattern(pattern: unknown, place: Place): (body: Body) => boolean {
  if (!isObject(pattern) || Object.keys(pattern).join() !== 'data') {
    return place.refuse('{ data: <pattern> } and no other key', pattern);
  }
  const { data } = pattern as { data: unknown };
  if (Array.isArray(data)) {
    const matches = anyOf(data, place.at('data'));
    return (body) => 'text' in body && matches(body.text, new Scope(body.text)) !== undefined;
  }
  const matches = allFields(data, place.at('data'));
  return (body) => 'json' in body && matches(body.json, new Scope(body.json)) !== undefined;
}

/** A pattern for an object: every field has to match. In an array of objects, one object has to match them all. */
function allFields(pattern: unknown, place: Place): Matcher {
  if (!isObject(pattern) || Object.keys(pattern).length === 0) {
    return refused(
      place,
      'an object with a pattern for each field, or a list of values and filters',
      pattern,
    );
  }
  const fields = Object.entries(pattern).sort(inOrder).map(readField);
  return (value, scope) => firstOf(elements(value), (each) => matchAll(fields, each, scope));

  function readField([name, inner]: [string, unknown]): Matcher {
    const at = place.at(name);
    if (name === '$or') return alternatives(inner, at);
    const matches = Array.isArray(inner) ? anyOf(inner, at) : allFields(inner, at);
    return (value, scope) => matches(fieldOf(value, name), scope.field(name));
  }
}

/**
 * Matches fields in the order of their names, as EventBridge does. After the first field that is present, the next ones are read
 * from the same element of an array. Before it, a field that has to be absent has to be absent from all elements.
 */
function matchAll(fields: readonly Matcher[], value: unknown, all: Scope): Match {
  let result: Match = 'absent';
  let scope = all;
  for (const matches of fields) {
    const found = matches(value, scope);
    if (found === undefined) return undefined;
    if (found === 'present' && result === 'absent') scope = new Scope(value);
    if (found === 'present') result = found;
  }
  return result;
}

/** Sorts as EventBridge does, by the path to a value, joined with dots. Alternatives come last. */
function inOrder([a, inA]: [string, unknown], [b, inB]: [string, unknown]): number {
  const [left, right] = [a + (isObject(inA) ? '.' : ''), b + (isObject(inB) ? '.' : '')];
  return Number(a === '$or') - Number(b === '$or') || (left < right ? -1 : 1);
}

function alternatives(patterns: unknown, place: Place): Matcher {
  if (!Array.isArray(patterns) || patterns.length < 2) {
    return refused(place, 'a list of two patterns or more', patterns);
  }
  const matchers = patterns.map((pattern, index) => allFields(pattern, place.at(index)));
  return (value, scope) => firstOf(matchers, (matches) => matches(value, scope));
}

/** A list of values and filters for one field. One of them has to match; in an array, it has to match one element. */
function anyOf(list: readonly unknown[], place: Place): Matcher {
  if (list.length === 0) return refused(place, 'at least one value or filter', list);
  const matchers = list.map((each, index) => readFilter(each, place.at(index)));
  return (value, scope) => firstOf(matchers, (matches) => matches(value, scope));
}

function readFilter(filter: unknown, place: Place): Matcher {
  if (isLeaf(filter)) return anyLeaf(exactly(filter));
  const [entry, ...others] = isObject(filter) ? Object.entries(filter) : [];
  if (!entry || others.length > 0) {
    const expected = 'a string, a number, true, false, null, or one filter such as { prefix: a }';
    return refused(place, expected, filter);
  }
  const [name, argument] = entry;
  if (name !== 'exists') return anyLeaf(contentFilter(name, argument, place.at(name)));
  if (typeof argument !== 'boolean') return refused(place.at(name), 'true or false', argument);
  if (argument) return anyLeaf(() => true);
  return (_value, scope) => (scope.hasLeaf() ? undefined : 'absent');
}

function anyLeaf(test: Test): Matcher {
  return (value) => (elements(value).some((each) => isLeaf(each) && test(each)) ? 'present' : undefined);
}

function refused(place: Place, expected: string, got: unknown): Matcher {
  place.refuse(expected, got);
  return () => undefined;
}

/** The first result that is not undefined. */
function firstOf<Item>(items: readonly Item[], match: (item: Item) => Match): Match {
  for (const item of items) {
    const found = match(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
