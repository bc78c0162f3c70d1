import { BlockList, isIP } from 'node:net';
import { isObject, type Leaf, type Place, type Test } from './pattern-place.ts';

/**
 * EventBridge's content filters by name, but for `exists`, which is about the field and not its value.
 * Strings are compared with strings only, and numbers with numbers: "5" is not 5.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
const contentFilters: Record<string, (argument: unknown, place: Place) => Test> = {
  prefix: (argument, place) => affix(argument, place, (value, part) => value.startsWith(part)),
  suffix: (argument, place) => affix(argument, place, (value, part) => value.endsWith(part)),
  'equals-ignore-case': equalsIgnoreCase,
  wildcard,
  'anything-but': anythingBut,
  numeric,
  cidr,
};

const contentFilterNames = [...Object.keys(contentFilters), 'exists'];

/** One filter with its argument; the name is one of `contentFilterNames`, but not `exists`. */
export function contentFilter(name: string, argument: unknown, place: Place): Test {
  const filter = Object.hasOwn(contentFilters, name) ? contentFilters[name] : undefined;
  return filter ? filter(argument, place) : place.refuse(`one of ${contentFilterNames.join(', ')}`, name);
}

/** The test of an exact value. */
export function exactly(expected: Leaf): Test {
  return (value) => value === expected;
}

function affix(argument: unknown, place: Place, holds: (value: string, part: string) => boolean): Test {
  if (typeof argument === 'string') return (value) => typeof value === 'string' && holds(value, argument);
  const [name, part, ...others] = isObject(argument) ? Object.entries(argument).flat() : [];
  if (name !== 'equals-ignore-case' || typeof part !== 'string' || others.length > 0) {
    return place.refuse('a string or { equals-ignore-case: <string> }', argument);
  }
  return (value) => typeof value === 'string' && holds(value.toLowerCase(), part.toLowerCase());
}

function equalsIgnoreCase(argument: unknown, place: Place): Test {
  if (typeof argument !== 'string') return place.refuse('a string', argument);
  return (value) => typeof value === 'string' && value.toLowerCase() === argument.toLowerCase();
}

/** `*` matches any characters; after a backslash, `*` and the backslash match themselves. */
function wildcard(argument: unknown, place: Place): Test {
  if (typeof argument !== 'string' || !/^(?:[^\\*]|\\[\\*]|\*(?!\*))*$/.test(argument)) {
    return place.refuse(
      'a string in which no * follows another and a backslash stands before * or \\',
      argument,
    );
  }
  const parts = argument.match(/\\[\\*]|\*|[^\\*]+/g) ?? [];
  const literals = [''];
  for (const part of parts) {
    if (part === '*') literals.push('');
    else literals.push(literals.pop() + (part.startsWith('\\') ? part.slice(1) : part));
  }
  return (value) => typeof value === 'string' && matchesWildcard(value, literals);
}

/** Whether a text holds these parts in their order, the first at its start and the last at its end. */
function matchesWildcard(value: string, literals: readonly string[]): boolean {
  const [first = '', ...rest] = literals;
  const last = rest.pop();
  if (last === undefined) return value === first;
  if (!value.startsWith(first)) return false;
  let from = first.length;
  for (const literal of rest) {
    const found = value.indexOf(literal, from);
    if (found < 0) return false;
    from = found + literal.length;
  }
  return value.length - last.length >= from && value.endsWith(last);
}

const negatable = ['prefix', 'suffix', 'equals-ignore-case', 'wildcard'];

function anythingBut(argument: unknown, place: Place): Test {
  const excluded = isObject(argument) ? negated(argument, place) : listed(argument, place);
  return (value) => !excluded.some((test) => test(value));
}

function listed(argument: unknown, place: Place): Test[] {
  const values: unknown[] = Array.isArray(argument) ? argument : [argument];
  const [first] = values;
  const type = typeof first;
  if (!['string', 'number'].includes(type) || values.some((value) => typeof value !== type)) {
    return [
      place.refuse('a string, a number, a list of only strings or only numbers, or a filter', argument),
    ];
  }
  return (values as Leaf[]).map(exactly);
}

function negated(argument: Record<string, unknown>, place: Place): Test[] {
  const [entry, ...others] = Object.entries(argument);
  if (!entry || others.length > 0 || !negatable.includes(entry[0])) {
    return [place.refuse(`one of ${negatable.join(', ')}`, argument)];
  }
  const [name, excluded] = entry;
  const inner = place.at(name);
  const values: unknown[] = Array.isArray(excluded) ? excluded : [excluded];
  // Every text begins and ends with an empty one: AWS refuses that too.
  if (values.length === 0 || values.some((value) => typeof value !== 'string' || value === '')) {
    return [inner.refuse('a string that is not empty, or a list of such', excluded)];
  }
  return values.map((value) => contentFilter(name, value, inner));
}

const comparisons = new Map<unknown, (value: number, bound: number) => boolean>([
  ['=', (value, bound) => value === bound],
  ['>', (value, bound) => value > bound],
  ['>=', (value, bound) => value >= bound],
  ['<', (value, bound) => value < bound],
  ['<=', (value, bound) => value <= bound],
]);

function numeric(argument: unknown, place: Place): Test {
  const refuse = () =>
    place.refuse('[<one of =, >, >=, <, <=>, <number>], or a range like [">", 0, "<=", 5]', argument);
  if (!Array.isArray(argument) || ![2, 4].includes(argument.length)) return refuse();
  const [operator, bound, upperOperator, upper] = argument as unknown[];
  const holds = comparisons.get(operator);
  if (!holds || !isNumber(bound)) return refuse();
  if (argument.length === 2) return (value) => typeof value === 'number' && holds(value, bound);
  const holdsAbove = comparisons.get(upperOperator);
  const isRange = ['>', '>='].includes(String(operator)) && ['<', '<='].includes(String(upperOperator));
  if (!holdsAbove || !isRange || !isNumber(upper) || bound >= upper) return refuse();
  return (value) => typeof value === 'number' && holds(value, bound) && holdsAbove(value, upper);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function cidr(argument: unknown, place: Place): Test {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(String(argument)) ?? [];
  const version = isIP(address);
  if (typeof argument !== 'string' || version === 0 || Number(bits) > (version === 4 ? 32 : 128)) {
    return place.refuse('addresses such as "10.0.0.0/24"', argument);
  }
  const network = new BlockList();
  network.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return (value) =>
    typeof value === 'string' &&
    isIP(value) === version &&
    network.check(value, version === 4 ? 'ipv4' : 'ipv6');
}
