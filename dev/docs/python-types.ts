import type { Json } from '../../runtime/contracts/document-types.ts';

/** A body's type in Python (a `TypedDict`, PEP 655), and what its module has to import; undefined if the body is no object. */
export function pythonType(
  name: string,
  schema: Json = {},
): { name: string; code: string; imports: string } | undefined {
  const { properties, required = [] } = schema;
  if (!properties) return undefined;
  const className = name.replaceAll(/(^|[-_.])(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  const fields = Object.entries(properties as Record<string, Json>).map(([field, each]) => {
    const type = typeOf(each);
    return `    ${field}: ${(required as string[]).includes(field) ? type : `NotRequired[${type}]`}`;
  });
  const code = [`class ${className}(TypedDict):`, ...fields].join('\n');
  const imported = ['Literal', 'NotRequired', 'TypedDict'].filter((word) => code.includes(word));
  return { name: className, code, imports: `from typing import ${imported.join(', ')}` };
}

const names: Readonly<Record<string, string>> = {
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  null: 'None',
  object: 'dict',
};

function typeOf(schema: Json): string {
  const { type, anyOf, const: only, enum: values, items } = schema;
  if (Array.isArray(anyOf)) return [...new Set((anyOf as Json[]).map(typeOf))].join(' | ');
  const literals = only === undefined ? values : [only];
  if (Array.isArray(literals)) return `Literal[${literals.map((value) => pythonValue(value)).join(', ')}]`;
  if (type === 'array') return `list[${typeOf(([items].flat()[0] ?? {}) as Json)}]`;
  return names[String(type)] ?? 'object';
}

/** A JSON value as a literal of Python. */
export function pythonValue(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${pythonValue(each)}`);
  return `{${entries.join(', ')}}`;
}
