import { describe, expect, it } from 'vitest';
import {
  type EntryFilter,
  type EntryRange,
  groupEntries,
} from '../../../runtime/dead-letters/entry-summary.ts';
import { EntryTable } from '../../../runtime/dead-letters/entry-table.ts';

/** Entries at the offsets 10, 20, 30 and so on, of two queues in turn. */
function tableOf(count: number): EntryTable {
  const table = new EntryTable();
  for (let n = 1; n <= count; n += 1) {
    const failure = { queue: n % 2 === 1 ? 'shop' : 'bank', reason: 'rejected', error: `Error: ${n % 3}` };
    table.add({ offset: n * 10, id: `m${n}`, failure, failedAt: n * 1000, bytes: n });
  }
  return table;
}
const ids = (table: EntryTable, filter?: EntryFilter, range?: EntryRange) =>
  [...table.select(filter, range)].map(({ id }) => id);

describe('EntryTable', () => {
  it('entries: a page is selected by offsets in both directions, and by queue, error and id', () => {
    const table = tableOf(7);
    expect(ids(table, {}, { after: 30, before: 60 })).toEqual(['m4', 'm5']);
    expect(ids(table, {}, { after: 35, newestFirst: true })).toEqual(['m7', 'm6', 'm5', 'm4']);
    expect(ids(table, { queue: 'bank', error: '1' })).toEqual(['m4']);
    expect(ids(table, { id: ['m2', 'm3', 'none'] })).toEqual(['m2', 'm3']);
    expect(ids(table, { reason: 'exhausted' })).toEqual([]);
    expect([...table.select({ id: 'm2' })]).toEqual([
      {
        offset: 20,
        id: 'm2',
        failure: { queue: 'bank', reason: 'rejected', error: 'Error: 2' },
        failedAt: 2000,
        bytes: 2,
      },
    ]);
  });

  it('entries: those that are removed are in no page, in no group and in no file', () => {
    const table = tableOf(5000);
    table.remove(0, 10);
    table.remove(21, 45_000);
    expect([table.size, table.has(20), table.has(30), table.has(45_010)]).toEqual([501, true, false, true]);
    // Most rows are given up by now.
    table.remove(45_020, 49_990);
    table.add({ offset: 50_010, id: 'new', failure: { queue: 'new', reason: 'x' }, bytes: 0 });
    expect(ids(table)).toEqual(['m2', 'm4501', 'm5000', 'new']);
    const filed = new EntryTable(JSON.parse(JSON.stringify(table.columns())));
    expect([...filed.select()]).toEqual([...table.select()]);
    filed.add({ offset: 50_020, id: 'm6', failure: { queue: 'new', reason: 'x' }, bytes: 0 });
    expect(groupEntries(filed.select(), ['queue']).map(({ queue, count }) => [queue, count])).toEqual([
      ['bank', 2],
      ['new', 2],
      ['shop', 1],
    ]);
  });
});

describe('groupEntries', () => {
  it('groups: each has its count, its first and last time, and counts in intervals of time', () => {
    const intervals = { from: 0, to: 8000, number: 4 };
    expect(groupEntries(tableOf(7).select(), ['queue'], intervals)).toEqual([
      { queue: 'shop', count: 4, firstSeen: 1000, lastSeen: 7000, counts: [1, 1, 1, 1] },
      { queue: 'bank', count: 3, firstSeen: 2000, lastSeen: 6000, counts: [0, 1, 1, 1] },
    ]);
  });
});
