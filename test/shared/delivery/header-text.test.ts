import { expect, it } from 'vitest';
import { headerKey, headerText, visibleText } from '../../../shared/delivery/header-text.ts';

it('headers: a text has no line break, NUL or other control character in a header', () => {
  expect(headerText('\0Eve\r\nBcc: x@y\u2028\x07end\x85\x1b')).toBe('Eve Bcc: x@y end');
});

it('headers: a key that HTTP cannot carry becomes its hash, and any other key stays', () => {
  expect(headerKey('alert:critical:7')).toBe('alert:critical:7');
  for (const key of ['a\0', 'a\n', 'ключ', 'a b', 'x'.repeat(256), '']) {
    expect(headerKey(key)).toMatch(/^[0-9a-f]{64}$/);
    expect(new Headers({ 'idempotency-key': headerKey(key) }).get('idempotency-key')).toBe(headerKey(key));
  }
});

it('texts: control characters of strangers are visible, and lines stay lines', () => {
  expect(visibleText('a\0b\r\nc\td\x1b[2J\x7f\x9b\ud83d 🐇')).toBe('a␀b\nc\td␛[2J␡\ufffd\ufffd 🐇');
});
