import type { Json } from '../../runtime/contracts/document-types.ts';

/** A body's type in Python (a `TypedDict`, PEP 655), and what its module has to import; undefined if the body is no object. */
export function pythonType(
  name: string,
  schema: Json = {},
): { name: string; code: string; imports: string } | undefined {
  if (!schema['properties']) return undefined;
  const className = classNameOf(name);
  const code = classesOf(className, schema).join('\n\n\n');
  return { name: className, code, imports: importsOf(code) };
}

/** The types of all bodies as a module. */
export function pythonModule(schemas: Readonly<Record<string, Json>>): string {
  const types = Object.entries(schemas).flatMap(([name, schema]) => pythonType(name, schema)?.code ?? []);
  const head = '"""The bodies of the messages in asyncapi.json. `npm run docs` generates this file."""';
  return [head, importsOf(types.join('\n')), ...types.map((code) => `\n${code}`)].join('\n\n').concat('\n');
}

/** Name of a message's class, such as `WalkOrdered` for `walk-ordered`. */
export const classNameOf = (name: string): string =>
  name.replaceAll(/(^|[^\p{L}\p{N}]+)([\p{L}\p{N}])/gu, (_, __, letter: string) => letter.toUpperCase());

function importsOf(code: string): string {
  const imported = ['Literal', 'NotRequired', 'TypedDict'].filter((word) => code.includes(word));
  return `from typing import ${imported.join(', ')}`;
}

/** The class of an object, after those of the objects in it. */
function classesOf(className: string, schema: Json): string[] {
  const { properties, required = [] } = schema;
  const inner: string[] = [];
  const fields = Object.entries(properties as Record<string, Json>).map(([field, each]) => {
    const innerName = className + classNameOf(field);
    if (each['properties']) inner.push(...classesOf(innerName, each));
    const type = each['properties'] ? innerName : typeOf(each);
    return [field, (required as string[]).includes(field) ? type : `NotRequired[${type}]`] as const;
  });
  if (fields.every(([field]) => isIdentifier(field))) {
    const lines = fields.map(([field, type]) => `    ${field}: ${type}`);
    return [
      ...inner,
      [`class ${className}(TypedDict):`, ...(lines.length > 0 ? lines : ['    pass'])].join('\n'),
    ];
  }
  const lines = fields.map(([field, type]) => `    ${JSON.stringify(field)}: ${type},`);
  return [...inner, [`${className} = TypedDict("${className}", {`, ...lines, '})'].join('\n')];
}

/** The keywords of Python that a field may be named as. */
const keywords = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
);
const isIdentifier = (name: string) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !keywords.has(name);

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
  return [type]
    .flat()
    .map((name) => names[String(name)] ?? 'object')
    .join(' | ');
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
