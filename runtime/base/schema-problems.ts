import type { StandardSchemaV1 } from '@standard-schema/spec';
import type * as z from 'zod';
import { JsonNumber } from './json.ts';
import type { Problem } from './problems.ts';
import { keysAt } from './schema-keys.ts';

/** What a schema library reports about a value. Zod adds a code, and what it expected. */
interface Issue extends StandardSchemaV1.Issue {
  code?: unknown;
  expected?: unknown;
  values?: unknown;
  errors?: unknown;
  keys?: unknown;
}

/** Marks an input that the caller did not pass; undefined is an input. */
const unknownInput = Symbol('unknown input');

/**
 * Returns the problems of checked input, a text for each: the field, the expected value, and the type of the actual value. No
 * text contains a value, because a value may be a secret.
 *
 * @param error Zod's error, or the failed result of any library that follows Standard Schema.
 * @param whole name of the whole input, for a problem that concerns no single field; default none.
 * @param input what was checked; without it, texts of Zod name the actual type.
 */
export function problemsOf(
  error: { readonly issues: readonly StandardSchemaV1.Issue[] },
  whole = '',
  input: unknown = unknownInput,
): string[] {
  return error.issues
    .flatMap((issue) => describe(issue, { parent: [], field: [], whole, input }))
    .map(({ text }) => text);
}

/** Problems in one text: a body with a problem in each of its values would have an answer and a log line of megabytes. */
const maxShown = 20;
/** Characters of a problem. The name of a field may have megabytes, and one problem may list all unknown fields. */
const maxLength = 500;

/**
 * As `problemsOf`, in one text for input of strangers: it has 500 characters of each of the first 20 problems, and counts the
 * others.
 */
export function problemText(
  { issues }: { readonly issues: readonly StandardSchemaV1.Issue[] },
  whole: string,
  input: unknown,
): string {
  const found = problemsOf({ issues: issues.slice(0, maxShown) }, whole, input);
  // A problem of a union may have any number of others in it.
  const more = found.slice(maxShown).length + issues.slice(maxShown).length;
  const shown = found.slice(0, maxShown).map(cut);
  return [...shown, ...(more > 0 ? [`and ${more} more problems`] : [])].join('; ');
}

/** Not within a pair of surrogates. */
const cut = (text: string) =>
  text.length <= maxLength ? text : `${text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '')}…`;

/**
 * As `problemsOf`, with their paths, for input that is a field itself, such as `custom`, `warren`.
 *
 * @param schema of Zod: each unknown key is a problem of its own, which names the known ones.
 */
export function problemsUnder(
  parent: readonly string[],
  error: { readonly issues: readonly StandardSchemaV1.Issue[] },
  input: unknown,
  whole = parent.join('.'),
  schema?: z.core.$ZodType,
): Problem[] {
  return error.issues.flatMap((issue) => describe(issue, { parent, field: [], whole, input, schema }));
}

interface Place {
  parent: readonly string[];
  field: readonly PropertyKey[];
  whole: string;
  input: unknown;
  schema?: z.core.$ZodType | undefined;
}

function describe(issue: Issue, place: Place): Problem[] {
  const field = [...place.field, ...(issue.path ?? []).map(keyOf)];
  const alternatives = alternativesOf(issue);
  const expected = expectedBy(issue) ?? (alternatives && typesOf(alternatives));
  const name = field.length > 0 ? [...place.parent, ...field].map(String).join('.') : place.whole;
  const path = [...place.parent, ...field];
  const named = (text: string) => [{ path, text: name ? `${name}: ${text}` : text }];
  if (place.schema && issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)) {
    const known = keysAt(place.schema, field).join(', ');
    const keyed = (key: string) => [...path, key].map(String).join('.');
    const textOf = (key: string) => `${keyed(key)}: unknown key, expected one of ${known}`;
    return issue.keys.map((key: string) => ({ path: [...path, key], text: textOf(key) }));
  }
  if (expected !== undefined) {
    const actual = place.input === unknownInput ? undefined : valueAt(place.input, field);
    return named(place.input === unknownInput ? plain(issue) : `expected ${expected}, got ${typeOf(actual)}`);
  }
  const closest = alternatives && closestOf(alternatives);
  return closest ? closest.flatMap((each) => describe(each, { ...place, field })) : named(plain(issue));
}

/** Zod's texts begin with "Invalid input: ", which adds nothing to the field's name. */
function plain({ message }: Issue): string {
  return message.replace(/^Invalid input: /, '').replace(/, received (\w+)$/, ', got $1');
}

/** The type or the values that Zod expected; undefined if the schema has a text of its own, or the library is another. */
function expectedBy({ code, expected, values, message }: Issue): string | undefined {
  // A schema's own text does not have Zod's beginning.
  if (!message.startsWith('Invalid ')) return undefined;
  // A record is an object whose keys the author chooses.
  if (code === 'invalid_type' && typeof expected === 'string')
    return expected === 'record' ? 'object' : expected;
  if (code !== 'invalid_value' || !Array.isArray(values)) return undefined;
  const texts = values.map((value) => JSON.stringify(value) ?? String(value));
  return texts.length > 1 ? `one of ${texts.join(', ')}` : texts[0];
}

/** The problems of each alternative of a union. */
function alternativesOf({ code, errors, message }: Issue): readonly (readonly Issue[])[] | undefined {
  const known = code === 'invalid_union' && Array.isArray(errors) && errors.length > 0;
  return known && message.startsWith('Invalid ') ? errors : undefined;
}

/** The types of a union, if the value has none of them. */
function typesOf(alternatives: readonly (readonly Issue[])[]): string | undefined {
  const types = alternatives.map(([first]) =>
    first && (first.path ?? []).length === 0 ? expectedBy(first) : undefined,
  );
  return types.every((type) => type !== undefined) ? [...new Set(types)].join(' or ') : undefined;
}

/** The problems of the alternative that fits best: it has the type of the value, and the fewest problems. */
function closestOf(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const typed = alternatives.filter(([first]) => first !== undefined && (first.path ?? []).length > 0);
  return typed.sort((one, other) => one.length - other.length)[0];
}

function keyOf(segment: PropertyKey | StandardSchemaV1.PathSegment): PropertyKey {
  return typeof segment === 'object' ? segment.key : segment;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The type of a value as a person would name it. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  if (value instanceof JsonNumber) return 'number that JavaScript cannot hold';
  return Buffer.isBuffer(value) ? 'bytes' : typeof value;
}
