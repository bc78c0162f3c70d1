import { type Json, type Reference, referenced } from './document-types.ts';
import { joined } from './schema-join.ts';

/** A schema with the document that its references are in. */
export interface Placed {
  schema: unknown;
  document: unknown;
}

/** A schema of one type at most, without references, `allOf`, `anyOf` and `oneOf` of its own. */
export interface Merged extends Placed {
  schema: Json;
}

/** The alternatives of a schema; none if it accepts no value. */
export function alternativesOf({ schema, document }: Placed): Merged[] {
  return expanded(schema, document, []).map((each) => ({ schema: each, document }));
}

/** @param open the references that are being followed, because schemas may contain themselves. */
function expanded(schema: unknown, document: unknown, open: readonly string[]): Json[] {
  if (schema === false) return [];
  if (!isObject(schema)) return [{}];
  if (isReference(schema)) {
    const { $ref } = schema;
    return open.includes($ref) ? [{}] : expanded(referenced(document, schema), document, [...open, $ref]);
  }
  const { allOf, anyOf, oneOf, not, ...rest } = schema;
  // Zod's form of `never`.
  if (isAny(not)) return [];
  const own = { ...rest, ...(not !== undefined && { not }) };
  const inner = (each: unknown) => expanded(each, document, open);
  const groups = [
    ...(Array.isArray(allOf) ? allOf : []).map(inner),
    ...[anyOf, oneOf].filter((each) => Array.isArray(each)).map((each) => each.flatMap(inner)),
  ];
  return groups.reduce<Json[]>(
    (all, group) => all.flatMap((one) => group.flatMap((other) => joined(one, other))),
    ofOneType(own),
  );
}

const ofOneType = (schema: Json): Json[] =>
  Array.isArray(schema['type']) ? schema['type'].map((type) => ({ ...schema, type })) : [schema];

/** Whether a schema accepts every value. */
export const isAny = (schema: unknown): boolean =>
  schema === true || (isObject(schema) && Object.keys(schema).length === 0);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isReference = (schema: unknown): schema is Reference =>
  isObject(schema) && typeof schema['$ref'] === 'string';

const everyType = ['string', 'number', 'boolean', 'object', 'array', 'null'];

export function typesOf(schema: Json): string[] {
  const { type } = schema;
  if (typeof type === 'string') return [type];
  const values = valuesOf(schema);
  return values ? [...new Set(values.map(jsonType))] : everyType;
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

export const accepts = (types: readonly string[], type: string) =>
  types.includes(type) || (type === 'integer' && types.includes('number'));

/** The only values of a schema; undefined if it does not list them. */
export const valuesOf = (schema: Json): readonly unknown[] | undefined => {
  if ('const' in schema) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined;
};
export const propertiesOf = (schema: Json): Json =>
  isObject(schema['properties']) ? schema['properties'] : {};
/** The schema of one property; undefined if the schema does not name it. */
export const propertyOf = (schema: Json, name: string): unknown => {
  const properties = propertiesOf(schema);
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
};
export const requiredOf = (schema: Json): string[] =>
  Array.isArray(schema['required']) ? schema['required'].map(String) : [];

/** The types of alternatives as a person would name them. */
export function described(alternatives: readonly Merged[]): string {
  const texts = alternatives.map(({ schema }) => {
    const types = typesOf(schema);
    return types === everyType ? 'any value' : types.join(' or ');
  });
  return texts.length > 0 ? [...new Set(texts)].join(' or ') : 'no value';
}
