import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { problemsOf, problemsUnder, problemText } from '../../../runtime/base/schema-problems.ts';

const manyFields = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`field${n}`, 1]));

/** The problems that a schema of any library finds. */
const problems = async (schema: StandardSchemaV1, input: unknown, whole = 'body') => {
  const result = await schema['~standard'].validate(input);
  return problemsOf({ issues: result.issues ?? [] }, whole, input);
};

const order = z.object({ customer: z.object({ name: z.string() }), size: z.enum(['s', 'm']) });

describe('schema problems', () => {
  it.each<[unknown, string[]]>([
    [{ customer: {}, size: 's' }, ['customer.name: expected string, got undefined']],
    [{ customer: { name: null }, size: 's' }, ['customer.name: expected string, got null']],
    [{ customer: [], size: 's' }, ['customer: expected object, got array']],
    [{ customer: { name: '' }, size: 7 }, ['size: expected one of "s", "m", got number']],
    [[], ['body: expected object, got array']],
    [null, ['body: expected object, got null']],
    ['text', ['body: expected object, got string']],
  ])(
    'schema problems: the text for %j names the field, the expected type and the actual type',
    async (input, texts) => {
      expect(await problems(order, input)).toEqual(texts);
    },
  );

  it('schema problems: a text has the first 20 of them and counts the others', () => {
    const schema = z.array(z.number());
    const textOf = (input: unknown[]) =>
      problemText({ issues: schema.safeParse(input).error?.issues ?? [] }, 'body', input);
    expect(textOf(['a', 'b'])).toBe('0: expected number, got string; 1: expected number, got string');
    const text = textOf(Array(5000).fill('a'));
    expect(text.split('; ')).toHaveLength(21);
    expect(text).toMatch(/^0: .*; 19: expected number, got string; and 4980 more problems$/);
  });

  it('schema problems: a union names its types, or the problem of the alternative that fits best', async () => {
    const union = z.union([z.string(), z.number(), z.object({ id: z.number(), tag: z.string() })]);
    expect(await problems(z.object({ time: union }), { time: [] })).toEqual([
      'time: expected string or number or object, got array',
    ]);
    expect(await problems(z.object({ time: union }), { time: { id: 1 } })).toEqual([
      'time.tag: expected string, got undefined',
    ]);
  });

  it('schema problems: a text that the schema defines is kept', async () => {
    const schema = z.object({ to: z.string({ error: 'expected a city' }), n: z.number().max(5) });
    expect(await problems(schema, { to: 1, n: 9 })).toEqual([
      'to: expected a city',
      'n: Too big: expected number to be <=5',
    ]);
  });

  it('schema problems: no text contains a value, because it may be a secret', async () => {
    const schema = z.object({ PASSWORD: z.literal('x'), URL: z.url(), N: z.number() });
    const texts = await problems(schema, { PASSWORD: 's3cr3t', URL: 's3cr3t', N: 's3cr3t' });
    expect(texts).toHaveLength(3);
    expect(texts.join()).not.toContain('s3cr3t');
  });

  it('schema problems: fields of a section of settings are named with their parents', () => {
    const { error } = z.object({ queues: z.string() }).safeParse({});
    expect(problemsUnder(['custom', 'warren'], error as z.ZodError, {})).toEqual([
      {
        path: ['custom', 'warren', 'queues'],
        text: 'custom.warren.queues: expected string, got undefined',
      },
    ]);
    const whole = z.object({}).safeParse([]);
    expect(problemsUnder(['custom', 'warren'], whole.error as z.ZodError, [])).toEqual([
      { path: ['custom', 'warren'], text: 'custom.warren: expected object, got array' },
    ]);
  });

  it.each([
    ['many unknown fields', z.strictObject({}), manyFields],
    ['a field with a long name', z.record(z.string(), z.string()), { ['\u{1f600}'.repeat(100_000)]: 1 }],
    ['a union of lists', z.union([z.array(z.string()), z.array(z.object({}))]), Array(50_000).fill(1)],
    ['many wrong fields', z.record(z.string(), z.string()), manyFields],
  ])('schema problems: the text about %s is short and whole', (_what, schema, input) => {
    const { error } = schema.safeParse(input);
    const text = problemText(error as z.ZodError, 'body', input);
    expect(text.length).toBeLessThan(11_000);
    expect(text).toBe(Buffer.from(text).toString());
  });

  it('schema problems: schemas of Valibot and of ArkType name the field too', async () => {
    const valibot = v.object({ customer: v.object({ name: v.string() }) });
    expect(await problems(valibot, { customer: { name: 1 } })).toEqual([
      expect.stringMatching(/^customer\.name: .*string/i),
    ]);
    const arktype = type({ customer: { name: 'string' } });
    expect(await problems(arktype, { customer: { name: 1 } })).toEqual([
      expect.stringMatching(/^customer\.name: .*string/),
    ]);
    expect(await problems(valibot, [])).toEqual([expect.stringMatching(/^customer|^body/)]);
  });
});
