import { type Json, type Reference, referenced } from './document-types.ts';

/** A schema with the document that its references are in. */
export interface Placed {
  schema: unknown;
  document: unknown;
}

/** A schema with the parts of its `allOf`. */
export interface Merged extends Placed {
  schema: Json;
}

/** Joins a schema with the parts of its `allOf`. */
export function merged(placed: Placed): Merged {
  const { schema, document } = resolved(placed);
  const own = isObject(schema) ? schema : {};
  const { allOf, ...rest } = own;
  const parts = (Array.isArray(allOf) ? allOf : []).map((part) => merged({ schema: part, document }).schema);
  const all = [rest, ...parts];
  const properties = Object.assign({}, ...all.map(propertiesOf)) as Json;
  const required = [...new Set(all.flatMap(requiredOf))];
  const hasProperties = all.some((part) => 'properties' in part);
  return {
    document,
    schema: Object.assign({}, ...all, hasProperties && { properties }, required.length > 0 && { required }),
  };
}

/** The alternatives of a schema; itself if it has none. */
export function alternativesOf(placed: Placed): Placed[] {
  const { schema, document } = resolved(placed);
  if (!isObject(schema)) return [{ schema, document }];
  const { anyOf, oneOf, ...rest } = schema;
  const alternatives = [anyOf, oneOf].find(Array.isArray);
  if (!alternatives && Array.isArray(schema['type'])) {
    return schema['type'].map((type) => ({ schema: { ...schema, type }, document }));
  }
  if (!alternatives) return [{ schema, document }];
  const isBare = Object.keys(rest).every((key) => ['title', 'description', 'examples'].includes(key));
  return alternatives.flatMap((each) =>
    alternativesOf({ schema: isBare ? each : { allOf: [rest, each] }, document }),
  );
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isReference = (schema: unknown): schema is Reference =>
  isObject(schema) && typeof schema['$ref'] === 'string';
export const pathOf = ({ schema }: Placed) => (isReference(schema) ? schema.$ref : '');

/** Follows references. */
export function resolved({ schema, document }: Placed): Placed {
  return isReference(schema)
    ? resolved({ schema: referenced(document, schema) ?? {}, document })
    : { schema, document };
}

const everyType = ['string', 'number', 'boolean', 'object', 'array', 'null'];

export function typesOf(schema: Json): string[] {
  const { type } = schema;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.map(String);
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
export const requiredOf = (schema: Json): string[] =>
  Array.isArray(schema['required']) ? schema['required'].map(String) : [];

/** The types of a schema as a person would name them. */
export function described(schema: unknown): string {
  if (!isObject(schema)) return 'any value';
  const types = typesOf(schema);
  return types === everyType ? 'any value' : types.join(' or ');
}
