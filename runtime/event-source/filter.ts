import { WarrenError } from '../base/errors.ts';
import { contentFilter, exactly } from './content-filters.ts';
import { elements, fieldOf, Scope } from './filter-scope.ts';
import { isLeaf, isObject, Place, type Test } from './pattern-place.ts';

/** How a value matches, undefined for not at all: by what is there, or only by what is not. */
type Match = 'present' | 'absent' | undefined;

/** Matches the value at one place of a body; the scope holds all that this place could mean. */
type Matcher = (value: unknown, scope: Scope) => Match;

/** AWS's limit for one mapping. */
const maxPatterns = 5;

/**
 * Filter patterns as AWS's mapping for Amazon MQ takes them: each is `{ data: <pattern> }`, and a message that matches any of
 * them goes to the function. With no patterns, every message does.
 *
 * An object is matched against a JSON body and a list against plain text; a body of the other kind does not match, nor does one
 * that is not UTF-8.
 *
 * @throws WarrenError ERR_CONFIG that names each wrong place in a pattern, what was expected and what came.
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

/** @returns undefined for bytes that are not UTF-8. */
function readBody(content: Buffer): Body | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { text };
  }
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

/** A pattern for an object: every field has to match; of an array of objects one has to match them all. */
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
 * As EventBridge does it: fields are looked at by name. As soon as one is there, those after it are about the
 * same element of an array; until then, a field that has to be absent has to be absent from all.
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

/** EventBridge sorts by the path to a value, its parts joined with dots. Alternatives come last. */
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

/** A list of values and filters for one field: one has to match, and of an array one element. */
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

/** The first result that is one. */
function firstOf<Item>(items: readonly Item[], match: (item: Item) => Match): Match {
  for (const item of items) {
    const found = match(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
