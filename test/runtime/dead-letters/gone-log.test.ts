import { describe, expect, it } from 'vitest';
import { GoneLog } from '../../../runtime/dead-letters/gone-log.ts';

const offsetsOf = (log: GoneLog, limit: number, before?: number) =>
  log.page(limit, before).map(({ offset }) => offset);

describe('GoneLog', () => {
  it('gone log: the latest come first, in pages without a gap and without one twice', () => {
    const log = new GoneLog();
    log.add([4, 6], { ending: 'replayed', at: 1000 });
    log.add([0, 1], { ending: 'dropped', at: 2000 });
    log.add([9, 9], { at: 3000 });
    expect(offsetsOf(log, 10)).toEqual([9, 1, 0, 6, 5, 4]);
    const pages: number[][] = [];
    for (let before: number | undefined = Number.POSITIVE_INFINITY; before !== undefined; ) {
      const page = log.page(2, before);
      if (page.length > 0) pages.push(page.map(({ offset }) => offset));
      before = page.at(-1)?.position;
    }
    expect(pages).toEqual([
      [9, 1],
      [0, 6],
      [5, 4],
    ]);
  });

  it('gone log: an entry keeps the end that was recorded first, also within a range that is recorded later', () => {
    const log = new GoneLog();
    log.add([5, 5], { ending: 'replayed', to: 'bank', by: 'ada' });
    log.add([4, 6], {});
    expect(log.find(5)).toMatchObject({ ending: 'replayed', to: 'bank', by: 'ada' });
    expect(log.find(4)?.ending).toBeUndefined();
    expect(log.find(7)).toBeUndefined();
    expect(offsetsOf(log, 10)).toEqual([6, 4, 5]);
  });

  it('gone log: a file keeps it, with the positions of its pages', () => {
    const log = new GoneLog();
    for (let offset = 0; offset < 10; offset += 2)
      log.add([offset, offset], { ending: 'dropped', at: offset });
    const [, second] = log.page(2);
    const again = new GoneLog(JSON.parse(JSON.stringify(log.runs())));
    expect(offsetsOf(again, 10, second?.position)).toEqual([4, 2, 0]);
    again.add([9, 9], { ending: 'replayed' });
    again.trim(3);
    expect(offsetsOf(again, 10)).toEqual([9, 8, 6, 4]);
  });

  it('gone log: it keeps the last 100,000 entries, also of a mark that names a huge gap, and their positions stay', () => {
    const log = new GoneLog();
    log.add([0, 9], { ending: 'dropped' });
    log.add([100, 2 ** 40], {});
    const [latest] = log.page(1);
    expect(latest).toMatchObject({ offset: 2 ** 40, position: 100_009 });
    for (let n = 0; n < 20_000; n += 1) log.add([2 ** 41 + 2 * n, 2 ** 41 + 2 * n], { ending: 'replayed' });
    expect(log.find(0)).toBeUndefined();
    expect(log.page(200_000).length).toBeLessThanOrEqual(110_000);
    expect(log.page(1, 100_010)).toEqual([latest]);
    expect(new GoneLog(log.runs()).page(1, 100_010)).toEqual([latest]);
  });
});
