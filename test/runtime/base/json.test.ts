import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonNumber, maxNested, maxValues, parseJson, stringifyJson } from '../../../runtime/base/json.ts';

const arrays = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('parseJson', () => {
  it('json: the value is that of JSON.parse', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parseJson(text)).toEqual(JSON.parse(text));
        expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
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

const run = promisify(execFile);

describe('numbers', () => {
  // In a process of its own, which can be ended: a reader that looks at each digit for each digit takes hours.
  it.each(["'1' + zeros + '1'", "'-1' + zeros + '1e5'", "'0.' + zeros + '1'", "'1.' + zeros", "'1' + zeros"])(
    'numbers: one of a million digits is read in one pass: %s',
    async (digits) => {
      const module = JSON.stringify(new URL('../../../runtime/base/json.ts', import.meta.url).href);
      const program = `
        const { parseJson, stringifyJson } = await import(${module});
        const zeros = '0'.repeat(1_000_000);
        const text = '[' + ${digits} + ']';
        process.stdout.write(String(stringifyJson(parseJson(text, { exact: true })) === text));
        parseJson(text);`;
      const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
      expect((await run(process.execPath, args, { timeout: 120_000 })).stdout).toBe('true');
    },
    150_000,
  );

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    // 2^60, -2^63 and 2^70: JavaScript holds them, and writes them with other digits.
    '1152921504606846976',
    '-9223372036854775808',
    '1180591620717411303424',
    '3.14159265358979323846',
    '1e400',
    '-1E400',
    '1e-400',
    `0.${'1'.repeat(120)}`,
  ])('numbers: %s keeps its digits', (digits) => {
    const text = `{"id":${digits},"list":[${digits},1,"${digits}"]}`;
    const value = parseJson(text) as { id: unknown; list: unknown[] };
    expect(value.id).toBeInstanceOf(JsonNumber);
    expect([String(value.id), `${value.list[0]}`, value.list[2]]).toEqual([digits, digits, digits]);
    expect(stringifyJson(value)).toBe(text);
    expect(JSON.parse(JSON.stringify(value))).toEqual({ id: digits, list: [digits, 1, digits] });
  });

  it.each([
    '1e400',
    ' 1e400',
    '\n\t-1e400',
    '{"a":\r\n1e400}',
    '[1, 1e400]',
    '[[1e400]]',
    '9007199254740993',
  ])('numbers: one that JavaScript cannot hold is found wherever it is: %j', (text) => {
    expect(stringifyJson(parseJson(text))).toBe(text.replaceAll(/\s/g, ''));
  });

  it('numbers: digits in a text are no number', () => {
    const text = JSON.stringify({
      id: '9007199254740993',
      list: [', 1e400', ':12345678901234567890', '7e1c'],
    });
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('numbers: with exact, every number is written with the digits of the text', () => {
    const text = '[-0,1.10,1E3,1e400,0.0,12345678901234567890,1.5,42,{"price":19.90}]';
    const value = parseJson(text, { exact: true }) as unknown[];
    expect(stringifyJson(value)).toBe(text);
    expect(value.slice(6, 8)).toEqual([1.5, 42]);
    expect(parseJson('[-0,1.10,1E3]')).toEqual([-0, 1.1, 1000]);
  });

  it.each([
    '0',
    '-0',
    '0.1',
    '1e5',
    '1.50',
    '9007199254740992',
    '1288111236.4300001',
    '5e-324',
    '1e23',
    '100000000000000000000000',
    '123456789012345680000',
    '0.10000000000000001',
    '1152921504606846976.0',
    '1.7976931348623157e308',
  ])('numbers: %s is a number of JavaScript', (digits) => {
    expect(parseJson(`[${digits}]`)).toEqual([Number(digits)]);
  });

  it('numbers: every double that JavaScript writes is held', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parseJson(`[${value}]`)).toEqual([Number(String(value))]);
      }),
    );
  });

  it('numbers: a text with such a number is checked like any other', () => {
    for (const text of [
      '{9007199254740993:1}',
      '[9007199254740993',
      '[90071992547409930000-1]',
      '9007199254740993 1',
    ]) {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    }
    const text = '{"__proto__":9007199254740993,"a":"\\\\","b":"\\"9007199254740993"}';
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('numbers: a JsonNumber converts to the exact bigint and to the nearest number', () => {
    const value = new JsonNumber('9007199254740993');
    expect([BigInt(value.digits), Number(value), `${value}`]).toEqual([
      9007199254740993n,
      9007199254740992,
      '9007199254740993',
    ]);
  });
});

describe('limits', () => {
  it('limits: 100,000 values are accepted, and one more is refused before anything is parsed', () => {
    const list = (count: number) => `[${Array(count).fill('{}').join()}]`;
    expect(parseJson(`[${'1,'.repeat(maxValues / 2)}1]`)).toHaveLength(maxValues / 2 + 1);
    expect(() => parseJson(list(maxValues + 1))).toThrow(/at most 100000 values/);
    expect(() => parseJson(`${list(maxValues + 1)} and no JSON`)).toThrow(/at most 100000 values/);
  });

  it('limits: a byte order mark in front is ignored', () => {
    expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 });
  });
});
