import { describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { z } from 'zod';
import { readJson } from '../../../runtime/http/body.ts';
import { readFiles } from '../../../runtime/http/multipart.ts';
import { form } from '../../support/events.ts';

const problem = (status: number, detail: RegExp) => ({
  name: 'Problem',
  status,
  detail: expect.stringMatching(detail),
});

describe('readJson', () => {
  const schema = z.object({ size: z.number({ error: 'expected a number' }) });
  const read = (body: unknown, contentType = 'application/json') =>
    readJson(httpEvent({ body, contentType }), schema);

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/json ;charset=utf-8',
    'application/vnd.warren+json',
    'text/json; charset=utf-8',
  ])('reads a body of the type %s', (contentType) => {
    expect(read({ size: 1 }, contentType)).toEqual({ size: 1 });
  });

  it('reads a body that the gateway gives in base64', () => {
    expect(read(Buffer.from('{"size":2}'))).toEqual({ size: 2 });
  });

  it.each(['text/plain', 'application/jsonx', 'application/x-www-form-urlencoded', '', 'json'])(
    'refuses a body of the type %j with 415',
    (contentType) => {
      expect(() => read({ size: 1 }, contentType)).toThrow(
        expect.objectContaining(problem(415, /^content-type: expected application\/json/)),
      );
    },
  );

  it('refuses a request without body and type with 415, and with a type alone with 400', () => {
    expect(() => readJson(httpEvent(), schema)).toThrow(
      expect.objectContaining(problem(415, /content-type/)),
    );
    const event = httpEvent({ body: '' });
    expect(() => readJson(event, schema)).toThrow(expect.objectContaining(problem(400, /^body: /)));
  });

  it.each([
    ['half of an object', '{"size":'],
    ['two values', '{"size":1} {"size":2}'],
    ['a number that JSON has not', '{"size":NaN}'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ])('refuses %s with 400', (_what, body) => {
    expect(() => read(body)).toThrow(
      expect.objectContaining(problem(400, /^body: expected JSON in UTF-8, nested at most 100 deep$/)),
    );
  });

  it.each([
    [{ size: 'x' }, /^size: expected a number$/],
    [{}, /^size: expected a number$/],
    [7, /^body: /],
    [null, /^body: /],
    [[{ size: 1 }], /^body: /],
  ])('refuses %j with 422, and names the field', (body, detail) => {
    expect(() => read(JSON.stringify(body))).toThrow(expect.objectContaining(problem(422, detail)));
  });
});

describe('readFiles', () => {
  const limits = { fileSize: 100, files: 2 };
  const content = Buffer.from([0, 13, 10, 45, 45, 255, 13, 10]);
  const readForm = ({ body, contentType }: ReturnType<typeof form>) =>
    readFiles(httpEvent({ body, contentType }), limits);

  it('reads files byte for byte, line breaks and dashes included', async () => {
    expect(await readForm(form([{ content }, { field: 'other', content: Buffer.from('x') }]))).toEqual([
      { field: 'picture', content, truncated: false },
      { field: 'other', content: Buffer.from('x'), truncated: false },
    ]);
  });

  it('reads a form that the gateway gives as text', async () => {
    const { body, contentType } = form([{ content: Buffer.from('plain') }]);
    const files = await readFiles(httpEvent({ body: body.toString(), contentType }), limits);
    expect(files).toMatchObject([{ content: Buffer.from('plain') }]);
  });

  it('takes the boundary in quotes and the type in capitals', async () => {
    const { body } = form([{ content }], 'b (1)=?');
    expect(await readForm({ body, contentType: 'Multipart/Form-Data; boundary="b (1)=?"' })).toHaveLength(1);
  });

  it('multipart: a file of the maximum size is complete, and a longer one is truncated', async () => {
    const files = await readForm(
      form([{ content: Buffer.alloc(100, 1) }, { content: Buffer.alloc(101, 2) }]),
    );
    expect(files).toEqual([
      { field: 'picture', content: Buffer.alloc(100, 1), truncated: false },
      { field: 'picture', content: Buffer.alloc(100, 2), truncated: true },
    ]);
  });

  it('reads no more files than asked for', async () => {
    expect(await readForm(form(Array(5).fill({ content })))).toHaveLength(2);
  });

  it('ignores plain fields and what stands around the form', async () => {
    const { body, contentType } = form([{ content }]);
    const field = '--a-boundary\r\ncontent-disposition: form-data; name="picture"\r\n\r\na text\r\n';
    const around = Buffer.concat([Buffer.from(`preamble\r\n${field}`), body, Buffer.from('epilogue')]);
    expect(await readForm({ body: around, contentType })).toEqual([
      { field: 'picture', content, truncated: false },
    ]);
  });

  it.each(['__proto__', 'constructor', 'picture[]', '', 'пикча'])(
    'takes %j for the name of a field',
    async (field) => {
      expect((await readForm(form([{ field, content }]))).map((file) => file.content)).toEqual([content]);
    },
  );

  it('finds no files in a form without any', async () => {
    expect(await readForm(form([]))).toEqual([]);
  });

  it.each(['application/json', 'multipart/mixed; boundary=a', 'multipart/form-datas; boundary=a', ''])(
    'refuses the type %j with 415',
    async (contentType) => {
      await expect(readForm({ body: content, contentType })).rejects.toMatchObject(
        problem(415, /^content-type: expected multipart\/form-data/),
      );
    },
  );

  const whole = form([{ content: Buffer.alloc(90, 1) }]);
  const endOfHead = whole.body.indexOf('\r\n\r\n');
  it.each([
    ['no form at all', Buffer.from('hello')],
    ['nothing', Buffer.alloc(0)],
    ['a form that ends in the head of a part', whole.body.subarray(0, endOfHead - 5)],
    ['a form that ends with the head of a part', whole.body.subarray(0, endOfHead + 4)],
    ['a form that ends in a file', whole.body.subarray(0, endOfHead + 50)],
    ['a form that ends in its last boundary', whole.body.subarray(0, whole.body.length - 6)],
    ['a form with another boundary', form([{ content }], 'another').body],
  ])('refuses %s with 400, and does not wait for the rest', async (_what, body) => {
    await expect(readForm({ ...whole, body })).rejects.toMatchObject(problem(400, /RFC 7578/));
  });

  it.each(['multipart/form-data', 'multipart/form-data; charset=utf-8', 'multipart/form-data; boundary='])(
    'refuses %j, which names no boundary, with 400',
    async (contentType) => {
      await expect(readForm({ ...whole, contentType })).rejects.toMatchObject(problem(400, /RFC 7578/));
    },
  );
});
