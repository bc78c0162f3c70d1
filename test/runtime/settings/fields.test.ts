import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonText } from '../../../runtime/settings/fields.ts';

describe('jsonText', () => {
  const field = jsonText('{"widths": [160]}').pipe(z.object({ widths: z.array(z.int()) }));

  it('the value of a variable with JSON is the checked object', () => {
    expect(field.parse('{"widths": [1, 2]}')).toEqual({ widths: [1, 2] });
    expect(field.safeParse('{"widths": "1"}').error?.issues[0]?.path).toEqual(['widths']);
  });

  it('the error about a text that is not JSON gives an example, and never quotes the text', () => {
    const { error } = field.safeParse('{"password": secret}');
    expect(error?.issues.map(({ message }) => message)).toEqual(['expected JSON: {"widths": [160]}']);
    expect(error?.message).not.toContain('secret');
  });
});
