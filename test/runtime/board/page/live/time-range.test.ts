import { expect, it } from 'vitest';
import { timeRange } from '../../../../../runtime/board/page/live/time-range.ts';

it('board page: a chart ends with its newest value and shows ten minutes at least, also before its first value', () => {
  expect(timeRange(null, null, 5000)).toEqual([4400, 5000]);
  expect(timeRange(4990, 4990, 5000)).toEqual([4390, 4990]);
  expect(timeRange(1000, 4990, 5000)).toEqual([1000, 4990]);
});
