import { afterEach, describe, expect, it } from 'vitest';
import { BlockedLoop } from '../../../runtime/hosts/blocked-loop.ts';

describe('a blocked event loop', () => {
  const reports: [number, readonly string[]][] = [];
  let loop: BlockedLoop | undefined;
  afterEach(() => {
    loop?.close();
    reports.length = 0;
  });
  const start = (limitMs: number) => {
    loop = new BlockedLoop(limitMs, (ms, functions) => reports.push([ms, functions]));
    return loop;
  };
  const compute = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };

  it('is reported with its duration and the function whose call was in flight', async () => {
    await start(300).during('resize', async () => compute(1200));
    await expect.poll(() => reports.length, { timeout: 10_000 }).toBe(1);
    const [[ms, functions] = [0, []]] = reports;
    expect(ms).toBeGreaterThan(300);
    expect(functions).toEqual(['resize']);
  });

  it('is not reported when the block is shorter than the limit', async () => {
    const loop = start(60_000);
    await loop.during('resize', async () => compute(700));
    const longer = new BlockedLoop(100, (ms) => reports.push([ms, ['the other']]));
    compute(1200);
    await expect.poll(() => reports.length, { timeout: 10_000 }).toBe(1);
    longer.close();
    expect(reports[0]?.[1]).toEqual(['the other']);
  });
});
