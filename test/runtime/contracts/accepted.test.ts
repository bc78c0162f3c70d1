import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { misfits } from '../../../runtime/contracts/accepted.ts';

const compare = (from: unknown, to: unknown, removals = false) =>
  misfits({ schema: from, document: {} }, { schema: to, document: {} }, { removals }).map(
    ({ path, kind }) => `${kind} ${path.join('.')}`,
  );
const text = { type: 'string' };
/** Texts without control characters, as JavaScript and Python read it. */
const [named, listed] = ['^\\P{Cc}+$', '^[^\\u0000-\\u001f\\u007f-\\u009f]+$'];
const object = (properties: object, required: string[] = []) => ({ type: 'object', properties, required });
const closed = (properties: object) => ({ ...object(properties), additionalProperties: false });
const map = (value: object) => ({ type: 'object', additionalProperties: value });
const tuple = (...items: object[]) => ({
  type: 'array',
  items,
  additionalItems: false,
  maxItems: items.length,
});
const both = (one: object, other: object) => ({ allOf: [{ ...text, ...one }, other] });
/** An object with a union of two kinds, as an intersection of Zod. */
const withKind = (value: object) => ({
  allOf: [
    object({ to: text }),
    {
      oneOf: [
        object({ kind: { const: 'a' } }, ['kind']),
        object({ kind: { const: 'b' }, n: value }, ['kind', 'n']),
      ],
    },
  ],
});

const { schema } = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 2 },
    ...['leaf', 'object', 'map', 'list', 'tuple', 'union', 'parts'].map((name) => tie(name)),
  ),
  leaf: fc.oneof(
    fc.constant({}),
    fc.record({ type: fc.constantFrom('string', 'number', 'integer', 'null', ['string', 'null']) }),
    fc.record({ enum: fc.uniqueArray(fc.constantFrom('a', 'b', 1), { minLength: 1 }) }),
    fc.record({ type: fc.constant('integer'), minimum: fc.nat(2), maximum: fc.nat(2) }),
    fc.record({ type: fc.constant('string'), maxLength: fc.nat(2) }),
  ),
  object: fc.record(
    {
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('p', 'q'), tie('schema'), { maxKeys: 2 }),
      required: fc.uniqueArray(fc.constantFrom('p', 'q')),
    },
    { requiredKeys: ['type', 'properties'] },
  ),
  map: fc.record({
    type: fc.constant('object'),
    additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
  }),
  list: fc.record({ type: fc.constant('array'), items: tie('schema') }),
  tuple: fc.record({
    type: fc.constant('array'),
    items: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
    additionalItems: fc.boolean(),
  }),
  parts: fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
  union: fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
}));

describe('misfits', () => {
  it.each([
    ['the same schema', text, text, []],
    ['any value for a text', {}, text, ['type ']],
    ['a text for any value', text, {}, []],
    ['a number for an integer', { type: 'number' }, { type: 'integer' }, ['type ']],
    ['an integer for a number', { type: 'integer' }, { type: 'number' }, []],
    ['a further type', { type: ['string', 'null'] }, text, ['type ']],
    ['a further alternative', { anyOf: [text, { type: 'null' }] }, text, ['type ']],
    ['an alternative of several', text, { anyOf: [{ type: 'null' }, text] }, []],
    ['a further value', { enum: ['a', 'b'] }, { enum: ['a'] }, ['value ']],
    ['one of the values', { const: 'a' }, { enum: ['a', 'b'] }, []],
    ['any text for a value', text, { type: 'string', const: 'a' }, ['value ']],
    ['a longer text', { ...text, maxLength: 9 }, { ...text, maxLength: 5 }, ['bound ']],
    ['a shorter text', { ...text, maxLength: 5 }, { ...text, maxLength: 9 }, []],
    ['a lower number', { type: 'number' }, { type: 'number', minimum: 1 }, ['bound ']],
    ['another pattern', { ...text, pattern: '^a$' }, { ...text, pattern: '^b$' }, ['bound ']],
    [
      'a category of characters in place of their list',
      { ...text, pattern: listed },
      { ...text, pattern: named },
      [],
    ],
    [
      'a list of characters in place of their category',
      { ...text, pattern: named },
      { ...text, pattern: listed },
      [],
    ],
    [
      'another category of characters',
      { ...text, pattern: '^\\P{Cs}+$' },
      { ...text, pattern: listed },
      ['bound '],
    ],
    ['a missing property', object({ a: text }), object({ a: text }, ['a']), ['missing a']],
    ['an unknown property', object({}), object({ a: text }, ['a']), ['unknown a']],
    ['a further property', object({ a: text }), object({}), []],
    [
      'a further property of a closed object',
      object({ a: text }),
      { ...object({}), additionalProperties: false },
      ['closed a'],
    ],
    ['an inner property', object({ a: object({ b: {} }) }), object({ a: object({ b: text }) }), ['type a.b']],
    ['elements', { type: 'array', items: {} }, { type: 'array', items: text }, ['type []']],
    ['parts', { allOf: [object({ a: text }, ['a'])] }, object({ a: text }, ['a']), []],
    ['a map of other values', map({ type: 'number' }), map(text), ['type *']],
    ['a map of the same values', map(text), map(text), []],
    ['a map with other names', map(text), { ...map(text), propertyNames: { enum: ['a'] } }, ['value *']],
    ['a map for an object', map({ type: 'number' }), object({ a: text }), ['type a']],
    ['an object for a map', object({ a: text }), map({ type: 'number' }), ['type a', 'type *']],
    ['an open object for a closed one', object({ a: text }), closed({ a: text }), ['closed *']],
    ['a closed object for an open one', closed({ a: text }), object({ a: text }), []],
    ['a text for no value', object({ a: text }), object({ a: { not: {} } }), ['type a']],
    ['a text for false', object({ a: text }), object({ a: false }), ['type a']],
    ['no value for a text', object({ a: { not: {} } }), object({ a: text }), []],
    ['a tuple with another place', tuple(text, { type: 'number' }), tuple(text, text), ['type [1]']],
    ['a tuple for a list', tuple(text, { type: 'number' }), { type: 'array', items: text }, ['type [1]']],
    ['a condition', text, { ...text, not: { const: 'a' } }, ['bound ']],
    ['a union in a part', withKind({ type: 'number' }), withKind(text), ['type n']],
    ['the same union in a part', withKind(text), withKind(text), []],
    [
      'parts of which each is narrower',
      both({ maxLength: 5 }, { maxLength: 9 }),
      { ...text, maxLength: 5 },
      [],
    ],
    [
      'parts for a narrower text',
      { ...text, maxLength: 9 },
      both({ maxLength: 5 }, { maxLength: 9 }),
      ['bound '],
    ],
    ['two unions', text, { anyOf: [text, { type: 'null' }], oneOf: [{ type: 'null' }] }, ['type ']],
    ['a number above 0 for one of at least 0', { exclusiveMinimum: 0 }, { minimum: 0 }, []],
    ['a number of at least 0 for one above 0', { minimum: 0 }, { exclusiveMinimum: 0 }, ['bound ']],
    ['a property with the name of a method', object({ toString: text }), closed({}), ['closed toString']],
  ])('%s', (_, from, to, expected) => {
    expect(compare(from, to)).toEqual(expected);
  });

  it('an optional property that is unknown now is missed by readers only', () => {
    expect(compare(object({}), object({ a: text }))).toEqual([]);
    expect(compare(object({}), object({ a: text }), true)).toEqual(['removed a']);
  });

  it('schemas that contain themselves are compared once', () => {
    const tree = (value: object) => ({
      tree: object({ value, next: { $ref: '#/tree' }, list: { type: 'array', items: { $ref: '#/tree' } } }),
    });
    const placed = (document: object) => ({ schema: { $ref: '#/tree' }, document });
    const found = misfits(placed(tree({})), placed(tree(text)), { removals: true });
    expect(found.map(({ path }) => path)).toEqual([['value']]);
  });

  it('schemas that contain themselves through a union are compared, and the comparison ends', () => {
    const nullable = (schema: object) => ({ anyOf: [schema, { type: 'null' }] });
    const placed = (value: object) => ({
      schema: { $ref: '#/node' },
      document: { node: object({ value, next: nullable({ $ref: '#/node' }) }) },
    });
    expect(misfits(placed(text), placed(text), { removals: true })).toEqual([]);
    const found = misfits(placed({}), placed(text), { removals: true });
    expect(found.map(({ path }) => path.join('.'))).toContain('value');
  });

  it('ten schemas of which each contains all are compared in the time of their pairs', () => {
    const names = Array.from({ length: 10 }, (_, at) => `n${at}`);
    const every = Object.fromEntries(names.map((name) => [name, { $ref: `#/${name}` }]));
    const document = (value: object) =>
      Object.fromEntries(names.map((name) => [name, object({ value, ...every })]));
    const placed = (value: object) => ({ schema: { $ref: '#/n0' }, document: document(value) });
    expect(misfits(placed(text), placed(text), { removals: true })).toEqual([]);
    const found = misfits(placed({}), placed(text), { removals: true });
    expect(found[0]).toEqual({ path: ['value'], kind: 'type', given: 'any value', accepted: 'string' });
    expect(found.length).toBeLessThanOrEqual(1000);
  });

  it('a schema that was taken to fit within itself, and does not, fits nowhere else', () => {
    // "first" fits by its other alternative. Within it, "b" was compared while "a" was taken to fit.
    const tree = (value: object) => ({
      a: object({ b: { $ref: '#/b' }, value }),
      b: object({ a: { $ref: '#/a' } }, ['a']),
    });
    const placed = (first: object, value: object) => ({
      schema: object({ first, second: { $ref: '#/b' } }),
      document: tree(value),
    });
    const either = { anyOf: [{ $ref: '#/a' }, object({})] };
    const found = misfits(placed({ $ref: '#/a' }, {}), placed(either, text), { removals: false });
    expect(found.map(({ path }) => path.join('.'))).toEqual(['second.a.value']);
  });

  it('a schema that two properties share is compared at both', () => {
    const placed = (value: object) => ({
      schema: object({ from: { $ref: '#/place' }, to: { $ref: '#/place' } }),
      document: { place: object({ city: value, zip: value }) },
    });
    const found = misfits(placed({}), placed(text), { removals: false });
    expect(found.map(({ path }) => path.join('.'))).toEqual([
      ...['from.city', 'from.zip', 'to.city', 'to.zip'],
    ]);
  });

  it('a schema never misfits itself', () => {
    fc.assert(
      fc.property(schema, fc.boolean(), (each, removals) => {
        expect(compare(each, each, removals)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('a value that one schema accepts is accepted by the other if nothing misfits', () => {
    const ajv = new Ajv({ strict: false, logger: false });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom<unknown>('a', 'b', '', 'long', 0, 1, 2, 0.5, null),
        fc.dictionary(fc.constantFrom('p', 'q'), tie('value'), { maxKeys: 2 }),
        fc.array(tie('value'), { maxLength: 2 }),
      ),
    }));
    fc.assert(
      fc.property(schema, schema, fc.array(value, { minLength: 20, maxLength: 20 }), (from, to, values) => {
        fc.pre(compare(from, to).length === 0);
        const [accepts, acceptsToo] = [ajv.compile(from as object), ajv.compile(to as object)];
        const known = values.filter((each) => accepts(each) && isKnown(each, from));
        expect(known.filter((each) => !acceptsToo(each))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

/** Whether a value has only properties that a schema knows: the comparison leaves the others out. */
function isKnown(value: unknown, schema: unknown): boolean {
  const {
    properties = {},
    additionalProperties: further = false,
    items,
    additionalItems = false,
    anyOf,
    allOf,
  } = schema as {
    properties?: Record<string, unknown>;
    additionalProperties?: unknown;
    items?: unknown;
    additionalItems?: unknown;
    anyOf?: unknown[];
    allOf?: unknown[];
  };
  const parts = anyOf ?? allOf;
  if (parts) return parts.every((each) => isKnown(value, each));
  if (Array.isArray(value)) {
    const placed = Array.isArray(items) ? items : value.map(() => items);
    return items !== undefined && value.every((each, at) => isKnown(each, placed[at] ?? additionalItems));
  }
  if (typeof value !== 'object' || value === null) return true;
  const isMap = typeof further === 'object' && further !== null && Object.keys(further).length > 0;
  return Object.entries(value).every(([name, each]) =>
    name in properties ? isKnown(each, properties[name]) : isMap && isKnown(each, further),
  );
}
