import { WarrenError } from '../errors.ts';
import { contentFilter, exactly, isLeaf, isObject, Place, type Test } from './content-filters.ts';

/** Whether the value at one place of a body matches; `body` is the whole, for what must not be in it anywhere. */
type Matcher = (value: unknown, body: unknown) => boolean;

/** AWS's limit for one mapping. */
const maxPatterns = 5;

/**
 * Filter patterns as AWS's mapping for Amazon MQ takes them: each is `{ data: <pattern> }`, and a message that matches
 * any of them goes to the function. With no patterns, every message does.
 *
 * An object is matched against a JSON body and a list against plain text; a body of the other kind doesn't match, nor
 * does one that isn't UTF-8.
 *
 * @throws WarrenError ERR_CONFIG that names each place where a pattern is wrong, what was expected and what came.
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
    const matches = anyOf(data, [], place.at('data'));
    return (body) => 'text' in body && matches(body.text, body.text);
  }
  const matches = allFields(data, [], place.at('data'));
  return (body) => 'json' in body && matches(body.json, body.json);
}

/** A pattern for an object: every field has to match, and of an array of objects one has to match them all. */
function allFields(pattern: unknown, path: readonly string[], place: Place): Matcher {
  if (!isObject(pattern) || Object.keys(pattern).length === 0) {
    return place.refuse('an object with a pattern for each field, or a list of values and filters', pattern);
  }
  const fields = Object.entries(pattern).map(([name, inner]): Matcher => {
    const at = place.at(name);
    if (name === '$or') return alternatives(inner, path, at);
    const below = [...path, name];
    const matches = Array.isArray(inner) ? anyOf(inner, below, at) : allFields(inner, below, at);
    return (value, body) => matches(fieldOf(value, name), body);
  });
  return (value, body) => elements(value).some((each) => fields.every((matches) => matches(each, body)));
}

function alternatives(patterns: unknown, path: readonly string[], place: Place): Matcher {
  if (!Array.isArray(patterns) || patterns.length < 2) {
    return place.refuse('a list of two patterns or more', patterns);
  }
  const matchers = patterns.map((pattern, index) => allFields(pattern, path, place.at(index)));
  return (value, body) => matchers.some((matches) => matches(value, body));
}

/** A list of values and filters for one field: one has to match, and of an array one element. */
function anyOf(list: readonly unknown[], path: readonly string[], place: Place): Matcher {
  if (list.length === 0) return place.refuse('at least one value or filter', list);
  const matchers = list.map((each, index) => readFilter(each, path, place.at(index)));
  return (value, body) => matchers.some((matches) => matches(value, body));
}

function readFilter(filter: unknown, path: readonly string[], place: Place): Matcher {
  if (isLeaf(filter)) return anyLeaf(exactly(filter));
  const [entry, ...others] = isObject(filter) ? Object.entries(filter) : [];
  if (!entry || others.length > 0) {
    return place.refuse('a string, a number, true, false, null, or one filter such as { prefix: a }', filter);
  }
  const [name, argument] = entry;
  if (name !== 'exists') return anyLeaf(contentFilter(name, argument, place.at(name)));
  if (typeof argument !== 'boolean') return place.at(name).refuse('true or false', argument);
  // As in EventBridge: absent means from all of the body, not from one element of an array in it.
  return argument ? anyLeaf(() => true) : (_value, body) => !hasLeaf(body, path);
}

function anyLeaf(test: Test): Matcher {
  return (value) => elements(value).some((each) => isLeaf(each) && test(each));
}

function hasLeaf(value: unknown, [name, ...below]: readonly string[]): boolean {
  if (name === undefined) return elements(value).some(isLeaf);
  return elements(value).some((each) => hasLeaf(fieldOf(each, name), below));
}

/** What is in an array, and in arrays within it; of an empty one, nothing that could have a field. */
function elements(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  return value.length > 0 ? value.flatMap(elements) : [undefined];
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
