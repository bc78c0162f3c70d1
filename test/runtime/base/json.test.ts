import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxNested, parseJson } from '../../../runtime/base/json.ts';

const arrays = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('parseJson', () => {
  it('json: the value is that of JSON.parse', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([arrays, objects])(
    'json: nesting up to the limit is accepted, and deeper nesting is refused',
    (nest) => {
      expect(JSON.stringify(parseJson(nest(maxNested)))).toBe(nest(maxNested));
      for (const depth of [maxNested + 1, 100_000]) {
        expect(() => parseJson(nest(depth))).toThrow(SyntaxError);
      }
    },
  );

  it('json: brackets in strings and keys are not nesting', () => {
    const text = JSON.stringify({ ['[{"'.repeat(200)]: '\\"['.repeat(200), list: Array(300).fill([]) });
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });
});
