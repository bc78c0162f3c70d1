import { expect, it } from 'vitest';
import { toPlot } from '../../../../runtime/board/page/live/chart-data.ts';

const line = (values: (number | null)[]) => ({ name: 'waiting', values, color: '--accent' });

it('board page: a chart with one value shows the ten minutes before it, and not the day after', () => {
  expect(toPlot({ at: [900_000], lines: [line([7])] })).toEqual([
    [300, 900],
    [null, 7],
  ]);
});

it('board page: a chart with more values has them at their times', () => {
  expect(toPlot({ at: [900_000, 915_000], lines: [line([7, null])] })).toEqual([
    [900, 915],
    [7, null],
  ]);
  expect(toPlot({ at: [], lines: [line([])] })).toEqual([[], []]);
});
