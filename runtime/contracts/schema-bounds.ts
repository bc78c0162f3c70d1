import type { Json } from './document-types.ts';
import type { Misfit } from './misfit.ts';

const lowest = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const highest = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
/** Compared as they are written: whether one pattern includes another is not decided. */
const exact = ['pattern', 'format', 'multipleOf', 'contentEncoding', 'uniqueItems'];

/** The limits of a schema that values of another may break. */
export function boundProblems(from: Json, to: Json, path: readonly string[]): Misfit[] {
  const broken = [
    ...lowest.filter((name) => isNumber(to[name]) && !(isNumber(from[name]) && from[name] >= to[name])),
    ...highest.filter((name) => isNumber(to[name]) && !(isNumber(from[name]) && from[name] <= to[name])),
    ...exact.filter((name) => to[name] !== undefined && to[name] !== false && to[name] !== from[name]),
  ];
  return broken.map((name) => ({
    path,
    kind: 'bound',
    given: `${name} ${from[name] === undefined ? 'none' : JSON.stringify(from[name])}`,
    accepted: `${name} ${JSON.stringify(to[name])}`,
  }));
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
