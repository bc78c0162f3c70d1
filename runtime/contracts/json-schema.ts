import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { WarrenError } from '../base/errors.ts';
import { thrownText } from '../base/thrown-text.ts';
import type { JsonSchema } from './contract.ts';

/** Zod and Valibot throw for a part that JSON Schema cannot express, such as a class; the document has any value there. */
const lenient: Readonly<Record<string, Record<string, unknown>>> = {
  zod: { unrepresentable: 'any' },
  valibot: { errorMode: 'ignore' },
};

/**
 * The JSON Schema of a body on the wire, before the schema transforms it.
 *
 * @param name of the contract, for errors.
 * @param given the JSON Schema in the contract; it takes precedence.
 * @throws WarrenError ERR_CONFIG if there is none.
 */
export function jsonSchemaOf(name: string, schema: StandardSchemaV1, given?: JsonSchema): JsonSchema {
  if (given) return given;
  const { jsonSchema, vendor } = (schema as StandardSchemaV1 & Partial<StandardJSONSchemaV1>)['~standard'];
  if (!jsonSchema) throw missing(name, `${vendor} has no Standard JSON Schema`);
  try {
    const libraryOptions = lenient[vendor];
    const { $schema, ...made } = jsonSchema.input({
      target: 'draft-07',
      ...(libraryOptions && { libraryOptions }),
    });
    return withoutStandard(made) as JsonSchema;
  } catch (cause) {
    throw missing(name, thrownText(cause instanceof Error ? cause.message : cause), cause);
  }
}

/** Zod's converter adds the schema's own interface, which is no part of the JSON Schema. */
function withoutStandard(schema: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify({ ...schema, '~standard': undefined }));
}

function missing(name: string, reason: string, cause?: unknown): WarrenError {
  const text = `contract "${name}": jsonSchema: expected the JSON Schema of its bodies, because ${reason}`;
  return new WarrenError('ERR_CONFIG', text, { cause });
}

/** Moves a schema to a place in a document: its references are to itself. */
export function placedAt(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((each) => placedAt(each, place));
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) =>
      key === '$ref' && typeof value === 'string' && value.startsWith('#')
        ? [key, place + value.slice(1)]
        : [key, placedAt(value, place)],
    ),
  );
}
