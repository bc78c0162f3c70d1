import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { phpExample } from '../../../dev/docs/client-examples.ts';
import { pythonType, pythonValue } from '../../../dev/docs/python-types.ts';

const odd = { 'a "b"': ["it's", 'C:\\new', 'é \u0000', true, false, null, 1.5, {}], "'": '\\' };

describe('examples for clients', () => {
  it('a body is the same value in Python', () => {
    const program = `import json; print(json.dumps(${pythonValue(odd)}))`;
    expect(JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8' }))).toEqual(odd);
  });

  it('a body is the same text in PHP', () => {
    const sending = { exchange: 'x', routingKey: 'k', isAnswered: false, kind: 'message' } as const;
    const code = phpExample({ ...sending, name: 'odd', schema: undefined, body: odd });
    const [body = ''] = /^\$body = .*$/m.exec(code) ?? [];
    const printed = execFileSync('php', ['-r', `${body} echo $body;`], { encoding: 'utf8' });
    expect(JSON.parse(printed)).toEqual(odd);
  });

  it('the type of a body in Python has each field, and marks those that may be missing', () => {
    const text = { type: 'string' };
    const properties = {
      to: { anyOf: [text, { type: 'integer' }, text] },
      parts: { type: 'array', items: text },
      size: { enum: ['s', 'm'] },
      any: {},
    };
    expect(pythonType('parcel-ordered.v2', { properties, required: ['to', 'parts'] })).toEqual({
      name: 'ParcelOrderedV2',
      imports: 'from typing import Literal, NotRequired, TypedDict',
      code: [
        'class ParcelOrderedV2(TypedDict):',
        '    to: str | int',
        '    parts: list[str]',
        '    size: NotRequired[Literal["s", "m"]]',
        '    any: NotRequired[object]',
      ].join('\n'),
    });
    expect(pythonType('text', text)).toBeUndefined();
  });
});
