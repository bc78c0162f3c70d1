import * as z from 'zod';
import { rabbitmqEvent } from '../event-source/mapping.ts';
import { sectionSchema } from './schema.ts';

/** A JSON schema, or a part of one. */
type JsonSchema = Record<string, unknown>;

/** Serverless resolves a variable in the place of any value. */
const variable = { $ref: '#/definitions/variable' };
const definitions = { variable: { type: 'string', pattern: '\\$\\{.+\\}' } };

/**
 * The JSON schema of the parts of a serverless.yml that Warren reads: `custom.warren`, and `rabbitmq` events. It allows anything in
 * other parts. Editors complete names by it, describe them, and mark what is wrong.
 *
 * @see https://json-schema.org/draft-07 the version that editors support for YAML
 */
export function editorSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'serverless.yml with Warren',
    definitions,
    properties: {
      custom: { properties: { warren: fieldsOf(sectionSchema()) } },
      functions: {
        additionalProperties: {
          properties: { events: { items: { properties: { rabbitmq: fieldsOf(rabbitmqEvent) } } } },
        },
      },
    },
  };
}

function fieldsOf(schema: z.ZodType): JsonSchema {
  const { $schema, ...fields } = z.toJSONSchema(schema, {
    target: 'draft-7',
    // What the author writes, and not what a transform makes of it.
    io: 'input',
    unrepresentable: 'any',
  });
  return orVariable(fields);
}

/** Allows a variable in the place of each value below, and of this one. */
function orVariable(schema: JsonSchema): JsonSchema {
  const { description, default: preset, ...rest } = withParts(schema);
  const shown = {
    ...(description !== undefined && { description }),
    ...(preset !== undefined && { default: preset }),
  };
  const isText = rest['type'] === 'string' && rest['pattern'] === undefined && rest['enum'] === undefined;
  if (isText || rest['type'] === undefined) return { ...shown, ...rest };
  return { ...shown, anyOf: [rest, variable] };
}

function withParts(schema: JsonSchema): JsonSchema {
  const result = { ...schema };
  const { properties, additionalProperties, items, anyOf } = schema;
  if (isObject(properties))
    result['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, each]) => [name, orVariable(each as JsonSchema)]),
    );
  if (isObject(additionalProperties)) result['additionalProperties'] = orVariable(additionalProperties);
  if (isObject(items)) result['items'] = orVariable(items);
  if (Array.isArray(anyOf)) result['anyOf'] = [...anyOf, variable];
  return result;
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
