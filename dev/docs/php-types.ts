import type { Json } from '../../runtime/contracts/document-types.ts';
import { classNameOf } from './python-types.ts';

/** The types of all bodies that are objects as a module of PHP: classes that refuse a field of another type. */
export function phpModule(schemas: Readonly<Record<string, Json>>): string {
  const classes = Object.entries(schemas).flatMap(([name, schema]) =>
    schema['properties'] ? [phpClass(classNameOf(name), schema)] : [],
  );
  return `${['<?php', head, ...classes].join('\n').trimEnd()}\n`;
}

const head = `// The bodies of the messages in asyncapi.json. \`npm run docs\` generates this file.
declare(strict_types=1);

abstract class Body implements JsonSerializable
{
    /** Reads a body, without the fields that it may get later. */
    public static function from(string $json): static
    {
        $fields = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
        $known = (new ReflectionMethod(static::class, '__construct'))->getParameters();
        return new static(...array_intersect_key($fields, array_column($known, 'name', 'name')));
    }

    public function jsonSerialize(): array
    {
        return array_filter(get_object_vars($this), fn ($value) => $value !== null);
    }
}
`;

function phpClass(className: string, { properties, required = [] }: Json): string {
  const isRequired = (name: string) => (required as string[]).includes(name);
  // PHP wants the parameters with a default last.
  const fields = Object.entries(properties as Record<string, Json>).sort(
    ([one], [other]) => Number(isRequired(other)) - Number(isRequired(one)),
  );
  const parameters = fields.map(([name, schema]) => {
    const type = typesOf(schema);
    const [text, end] = isRequired(name)
      ? [type.join('|'), '']
      : [[...new Set([...type, 'null'])].join('|'), ' = null'];
    return `        public readonly ${type.includes('mixed') ? 'mixed' : text} $${name}${end},`;
  });
  return [
    `final class ${className} extends Body`,
    '{',
    '    public function __construct(',
    ...parameters,
    '    ) {',
    '    }',
    '}\n',
  ].join('\n');
}

const names: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  null: 'null',
  object: 'array',
  array: 'array',
};

function typesOf(schema: Json): string[] {
  const { type, anyOf, const: only, enum: values } = schema;
  if (Array.isArray(anyOf)) return [...new Set((anyOf as Json[]).flatMap(typesOf))];
  const literals = only === undefined ? values : [only];
  const types =
    type === undefined && Array.isArray(literals) ? literals.map((value) => typeof value) : [type].flat();
  return [...new Set(types.map((name) => names[String(name)] ?? 'mixed'))];
}
