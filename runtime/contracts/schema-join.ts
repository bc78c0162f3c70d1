import type { Json } from './document-types.ts';
import { highest, lowest } from './schema-bounds.ts';

/**
 * Joins two schemas that a value has to fit both, as the parts of `allOf`.
 *
 * @returns the schema, or none if no value can fit both, because their types or their values exclude each other.
 */
export function joined(one: Json, other: Json): Json[] {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  const entries = names.map((name) => [name, joinedValue(name, one[name], other[name])] as const);
  if (entries.some(([, value]) => value === nothing)) return [];
  return [{ ...Object.fromEntries(entries), ...joinedProperties(one, other), ...joinedElements(one, other) }];
}

/** Marks a part that no value fits. */
const nothing = Symbol('nothing');

function joinedValue(name: string, one: unknown, other: unknown): unknown {
  if (one === undefined) return other;
  if (other === undefined) return one;
  if (textOf(one) === textOf(other)) return one;
  if (name === 'type') return narrower(one, other);
  if (name === 'const') return nothing;
  if (name === 'enum') return common(one as unknown[], other as unknown[]);
  if (name === 'required') return [...new Set([...(one as string[]), ...(other as string[])])];
  if (lowest.includes(name)) return Math.max(Number(one), Number(other));
  if (highest.includes(name)) return Math.min(Number(one), Number(other));
  // Also for a keyword that is compared as it is written: it differs from each of its two values.
  return both(one, other);
}

/** The schema of a value that has to fit both. */
function both(one: unknown, other: unknown): unknown {
  if (one === false || other === false) return false;
  if (one === true) return other;
  return other === true ? one : { allOf: [one, other] };
}

function narrower(one: unknown, other: unknown): unknown {
  const types = [one, other];
  return types.includes('integer') && types.includes('number') ? 'integer' : nothing;
}

function common(one: readonly unknown[], other: readonly unknown[]): unknown {
  const texts = other.map(textOf);
  const values = one.filter((value) => texts.includes(textOf(value)));
  return values.length > 0 ? values : nothing;
}

/** A property that only one of them names has to fit the other's schema for further properties. */
function joinedProperties(one: Json, other: Json): Json {
  if (!('properties' in one || 'properties' in other)) return {};
  const names = new Set([one, other].flatMap(({ properties = {} }) => Object.keys(properties as Json)));
  const properties = [...names].map((name) => [name, both(propertyIn(one, name), propertyIn(other, name))]);
  return { properties: Object.fromEntries(properties) };
}

function propertyIn({ properties = {}, additionalProperties = true }: Json, name: string): unknown {
  return Object.hasOwn(properties as Json, name) ? (properties as Json)[name] : additionalProperties;
}

function joinedElements(one: Json, other: Json): Json {
  const [its, theirs] = [elementsOf(one), elementsOf(other)];
  const count = Math.max(its.first.length, theirs.first.length);
  if (count === 0) return {};
  const first = Array.from({ length: count }, (_, place) =>
    both(elementAt(its, place), elementAt(theirs, place)),
  );
  return { items: first, additionalItems: both(its.others, theirs.others), prefixItems: undefined };
}

/** The schemas of an array's elements: those of the first ones, and that of all others. */
export interface Elements {
  first: readonly unknown[];
  others: unknown;
}

export function elementsOf({ items = true, prefixItems, additionalItems = true }: Json): Elements {
  if (Array.isArray(items)) return { first: items, others: additionalItems };
  return { first: Array.isArray(prefixItems) ? prefixItems : [], others: items };
}

export const elementAt = ({ first, others }: Elements, place: number): unknown =>
  place < first.length ? first[place] : others;

const textOf = (value: unknown) => JSON.stringify(value);
