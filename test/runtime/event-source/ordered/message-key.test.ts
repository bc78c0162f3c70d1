import { describe, expect, it } from 'vitest';
import { keyReader } from '../../../../runtime/event-source/ordered/message-key.ts';
import { delivery } from '../../../support/broker.ts';

const keyIn = (customer: unknown) =>
  keyReader('header.customer')(delivery('', { properties: { headers: { customer } } }));

describe('the key of a message', () => {
  it('orderBy: keys of different types are different, and a header without a value is no key', () => {
    const keys = ['5', 5, true, { a: 5 }, [5], Buffer.from('5')].map(keyIn);
    expect(new Set(keys).size).toBe(keys.length);
    expect([undefined, null].map(keyIn)).toEqual([undefined, undefined]);
    expect(keyReader('header.toString')(delivery(''))).toBeUndefined();
  });

  it('orderBy: a header that is nested more deeply than the stack allows is a key, and does not end the subscription', () => {
    let nested: object = {};
    for (let depth = 0; depth < 100_000; depth += 1) nested = { nested };
    expect(keyIn(nested)).toBe(keyIn([nested]));
  });
});
