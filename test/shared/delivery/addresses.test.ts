import { expect, it } from 'vitest';
import { readAddresses } from '../../../shared/delivery/addresses.ts';

it.each([
  ['ops@example.com', [{ name: '', address: 'ops@example.com' }]],
  [
    'a@x, b@x',
    [
      { name: '', address: 'a@x' },
      { name: '', address: 'b@x' },
    ],
  ],
  [
    'a@x;b@x,',
    [
      { name: '', address: 'a@x' },
      { name: '', address: 'b@x' },
    ],
  ],
  ['a@x, Ops <a@x>', [{ name: 'Ops', address: 'a@x' }]],
  ["Ops, Night <o'neil+ops@mail-1.example>", [{ name: 'Ops, Night', address: "o'neil+ops@mail-1.example" }]],
  ['Night Shift <a@x>', [{ name: 'Night Shift', address: 'a@x' }]],
  [
    '"Shift, Night" <a@x>,b@x',
    [
      { name: 'Shift, Night', address: 'a@x' },
      { name: '', address: 'b@x' },
    ],
  ],
  ['Füchse <füchse@bücher.example>', [{ name: 'Füchse', address: 'füchse@bücher.example' }]],
])('addresses: %j is read', (text, expected) => {
  expect(readAddresses(text)).toEqual(expected);
});

it.each([
  '',
  'ops',
  '@x',
  'a@',
  'a@x b@x',
  'a..b@x',
  '.a@x',
  'a@x..y',
  'a@x.',
  'a@-x',
  '\u202ea@x',
  'a@x; <',
  'list: a@x;',
  'a@x\nb@x',
  `${'a'.repeat(250)}@x.example`,
])('addresses: %j is refused', (text) => {
  expect(() => readAddresses(text)).toThrow(SyntaxError);
});
