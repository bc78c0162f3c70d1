import { describe, expect, it } from 'vitest';
import { table } from '../../../runtime/cli/table.ts';

describe('table', () => {
  it('table: columns are as wide as their widest cell, also if it has wide characters', () => {
    const lines = table(
      ['id', 'name'],
      [
        ['1', '漢字'],
        ['22', 'Zoë'],
      ],
    ).split('\n');
    expect(lines).toEqual([
      '┌────┬──────┐',
      '│ id │ name │',
      '├────┼──────┤',
      '│ 1  │ 漢字 │',
      '│ 22 │ Zoë  │',
      '└────┴──────┘',
    ]);
  });

  it('table: a cell with several lines makes its row higher', () => {
    expect(table(['a', 'b'], [['x\ny', '1']]).split('\n')).toEqual([
      '┌───┬───┐',
      '│ a │ b │',
      '├───┼───┤',
      '│ x │ 1 │',
      '│ y │   │',
      '└───┴───┘',
    ]);
  });

  it('table: without rows, it is its head', () => {
    expect(table(['a'], []).split('\n')).toEqual(['┌───┐', '│ a │', '└───┘']);
  });
});
