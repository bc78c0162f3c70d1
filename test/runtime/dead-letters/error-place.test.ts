import { describe, expect, it } from 'vitest';
import { placeOf } from '../../../runtime/dead-letters/error-place.ts';

describe('placeOf', () => {
  it('error: its place is the first line of the stack that is neither of Node nor of a package', () => {
    const error = [
      'TypeError: at home',
      '    at node:internal/process/task_queues:95:5',
      '    at parse (/srv/node_modules/zod/index.js:1:2)',
      '    at new Promise (<anonymous>)',
      '    at price (/srv/shop/price.ts:12:5)',
      '    at /srv/shop/order.ts:3:1',
    ].join('\n');
    expect(placeOf(error)).toBe('price (/srv/shop/price.ts:12:5)');
  });

  it('error: without a stack of its own it has no place', () => {
    expect(placeOf('Error: no\n    at node:fs:1:2')).toBe(undefined);
    expect(placeOf('Error: no route at all')).toBe(undefined);
    expect(placeOf(undefined)).toBe(undefined);
  });
});
