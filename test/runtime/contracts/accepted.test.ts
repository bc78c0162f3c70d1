import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { misfits } from '../../../runtime/contracts/accepted.ts';

const compare = (from: unknown, to: unknown, removals = false) =>
  misfits({ schema: from, document: {} }, { schema: to, document: {} }, { removals }).map(
    ({ path, kind }) => `${kind} ${path.join('.')}`,
  );
const text = { type: 'string' };
const object = (properties: object, required: string[] = []) => ({ type: 'object', properties, required });

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

  it('a value that one schema accepts is accepted by the other if nothing misfits', () => {
    const ajv = new Ajv({ strict: false, logger: false });
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof({ maxDepth: 2 }, tie('leaf'), tie('object'), tie('list'), tie('union')),
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
      list: fc.record({ type: fc.constant('array'), items: tie('schema') }),
      union: fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
    }));
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
    items,
    anyOf = [],
  } = schema as {
    properties?: Record<string, unknown>;
    items?: unknown;
    anyOf?: unknown[];
  };
  if (anyOf.length > 0) return anyOf.every((each) => isKnown(value, each));
  if (Array.isArray(value)) return items !== undefined && value.every((each) => isKnown(each, items));
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, each]) => name in properties && isKnown(each, properties[name]));
}
