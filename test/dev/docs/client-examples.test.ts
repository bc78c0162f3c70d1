import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { phpExample } from '../../../dev/docs/client-examples.ts';
import { phpModule } from '../../../dev/docs/php-types.ts';
import { pythonModule, pythonType, pythonValue } from '../../../dev/docs/python-types.ts';

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

  const text = { type: 'string' };
  const parcel = {
    type: 'object',
    properties: {
      note: text,
      to: { type: 'object', properties: { größe: text, 'zip-code': text, class: text }, required: ['größe'] },
      kg: { type: 'number' },
      ids: { type: 'array', items: { anyOf: [{ type: 'integer' }, text] } },
      paid: { type: ['boolean', 'null'] },
      any: {},
    },
    required: ['to', 'kg', 'ids'],
  };

  it('the module of types is one that Python can load, with a class for an inner object and with every name of a field', () => {
    const program = [
      pythonModule({ 'parcel-ordered.v2': parcel, 'alert-raised': {}, päckchen: parcel }),
      'from typing import get_type_hints',
      'print(sorted(get_type_hints(ParcelOrderedV2)), sorted(get_type_hints(ParcelOrderedV2To)), ParcelOrderedV2.__optional_keys__)',
      'print(Päckchen.__name__)',
    ].join('\n');
    const printed = execFileSync('python3', ['-c', program], { encoding: 'utf8' });
    expect(printed.split('\n').slice(0, 2)).toEqual([
      expect.stringContaining(
        "['any', 'ids', 'kg', 'note', 'paid', 'to'] ['class', 'größe', 'zip-code'] frozenset({",
      ),
      'Päckchen',
    ]);
  });

  it('the classes of PHP write the body that they read, leave out unknown fields and refuse another type', () => {
    const body = { to: { größe: 'l' }, kg: 1.5, ids: [1, '2'], paid: true };
    const further = JSON.stringify({ ...body, later: 1 });
    const program = [
      phpModule({ 'parcel-ordered.v2': parcel, 'alert-raised': {} }).replace('<?php\n', ''),
      `echo json_encode(ParcelOrderedV2::from('${further}')), "\\n";`,
      'try { new ParcelOrderedV2(to: [], kg: "1", ids: []); } catch (TypeError $error) { echo $error->getMessage(); }',
    ].join('\n');
    const [written = '', refused] = execFileSync('php', ['-r', program], { encoding: 'utf8' }).split('\n');
    expect(JSON.parse(written)).toEqual(body);
    expect(refused).toContain('($kg) must be of type float, string given');
  });
});
