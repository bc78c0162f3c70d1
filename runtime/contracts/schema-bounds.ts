import type { Json } from './document-types.ts';
import type { Misfit } from './misfit.ts';

export const lowest = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
export const highest = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
/** Compared as they are written: whether one pattern includes another is not decided. */
const exact = [
  ...['pattern', 'format', 'multipleOf', 'contentEncoding', 'contentMediaType', 'uniqueItems', 'not'],
  ...['patternProperties', 'contains', 'minContains', 'maxContains', 'if', 'then', 'else'],
  ...['dependencies', 'dependentRequired', 'dependentSchemas', 'unevaluatedProperties', 'unevaluatedItems'],
];

/** The limits of a schema that values of another may break. */
export function boundProblems(from: Json, to: Json, path: readonly string[]): Misfit[] {
  const broken = [
    ...lowest.filter((name) => isNumber(to[name]) && !isHeld(from, to, name, 1)),
    ...highest.filter((name) => isNumber(to[name]) && !isHeld(from, to, name, -1)),
    ...exact.filter((name) => to[name] !== undefined && to[name] !== false && !isSame(to[name], from[name])),
  ];
  return broken.map((name) => ({
    path,
    kind: 'bound',
    given: `${name} ${from[name] === undefined ? 'none' : JSON.stringify(from[name])}`,
    accepted: `${name} ${JSON.stringify(to[name])}`,
  }));
}

/**
 * Whether values of a schema keep a limit of another.
 *
 * @param direction 1 for a lowest value, -1 for a highest.
 */
function isHeld(from: Json, to: Json, name: string, direction: 1 | -1): boolean {
  const limit = (to[name] as number) * direction;
  const given = (key: string) => (isNumber(from[key]) ? (from[key] as number) * direction : undefined);
  const own = given(name);
  if (own !== undefined && own >= limit) return true;
  // A value above 3 is also at least 3, and one of at least 4 is above 3.
  if (name === 'minimum' || name === 'maximum') {
    const exclusive = given(name === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum');
    return exclusive !== undefined && exclusive >= limit;
  }
  if (!name.startsWith('exclusive')) return false;
  const inclusive = given(name === 'exclusiveMinimum' ? 'minimum' : 'maximum');
  return inclusive !== undefined && inclusive > limit;
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isSame = (one: unknown, other: unknown) => written(one) === written(other);
/**
 * A part of a schema as text. The control characters, Unicode's category Cc, are the same for ever, and Python's regular expressions
 * cannot name the category, so that a pattern which lists them in its place is no other one.
 */
const written = (part: unknown) =>
  JSON.stringify(part)?.replaceAll('\\\\P{Cc}', '[^\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f]');
