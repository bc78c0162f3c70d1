import { expect, it } from 'vitest';
import { composeNotice } from '../../../shared/alerts/notice.ts';

const contentOf = (body: unknown) => composeNotice({ key: 'k', queue: 'critical', body }).content;

it('notice: JSON has each of its values on a line of its own', () => {
  expect(contentOf({ disk: 7, used: [1, 2] })).toBe('{\n  "disk": 7,\n  "used": [\n    1,\n    2\n  ]\n}');
});

it('notice: deep or large JSON is not indented, because its mail would be up to a hundred times longer', () => {
  const nested = (value: unknown, depth: number): unknown =>
    depth === 0 ? value : [nested(value, depth - 1)];
  for (const body of [
    nested(Array(1000).fill(0), 90),
    nested(Array(90_000).fill(0), 90),
    Array(40_000).fill(0),
  ]) {
    expect(contentOf(body)).toBe(JSON.stringify(body));
  }
});
