import { describe, expect, it } from 'vitest';
import { count } from '../../../dev/order/count.ts';
import type { Note } from '../../../dev/order/notes.ts';

const note = (step: Note['step'], n: number, pid = 1): Note => ({ step, customer: 'ann', n, pid, at: 0 });
const handled = (n: number, pid = 1) => [note('begun', n, pid), note('done', n, pid)];
const wrongIn = (notes: readonly Note[], given: Partial<Parameters<typeof count>[0]> = {}) => {
  const right = {
    messages: ['ann 0', 'ann 1'],
    poisonous: [],
    killed: [],
    endings: [],
    left: 0,
    deadLetters: [],
  };
  const counts = count({ ...right, notes, ...given });
  return counts.filter(({ problems }) => problems.length > 0).map(({ what }) => what);
};

describe('the counts of the course of orders', () => {
  it('orders: messages in order are right, and a message that a killed process began may come again', () => {
    expect(wrongIn([...handled(0), ...handled(1)])).toEqual([]);
    const again = [...handled(0), note('begun', 1), ...handled(1, 2)];
    expect(wrongIn(again, { killed: [1] })).toEqual([]);
    expect(wrongIn([...handled(0), ...handled(0, 2), ...handled(1, 2)], { killed: [1] })).toEqual([]);
  });

  it('orders: a message that is done before an earlier one, beside one, again or never is noticed', () => {
    expect(wrongIn([...handled(1), ...handled(0)])).toEqual(['messages in the order of their customer']);
    const beside = [note('begun', 0), note('begun', 1, 2), note('done', 0), note('done', 1, 2)];
    expect(wrongIn(beside)).toEqual(['messages of a customer at a time']);
    expect(wrongIn([...handled(0), ...handled(0), ...handled(1)])).toEqual(['messages done again']);
    expect(wrongIn(handled(0))).toEqual(['messages done']);
    expect(wrongIn([...handled(0), ...handled(1)], { deadLetters: ['ann 1'] })).toEqual(['dead letters']);
  });
});
