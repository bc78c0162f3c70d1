import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { breaks, demand, seeded, waits } from '../../../dev/bench/scale-model.ts';
import { projectFile } from '../../../dev/stack/project.ts';

const limits = { queue: 10_000, statements: 5000, brokerCoreSeconds: 0.0001, callsAtOnce: 1000 };
const work = {
  name: 'a row',
  coreSeconds: 0.001,
  seconds: 0.01,
  statements: 2,
  batch: 1,
  lambdaSeconds: 0.02,
  gb: 0.5,
  concurrency: 10,
};

describe('the scale model', () => {
  it('docs/scale.md has every line that the program prints', () => {
    const args = ['--import', 'tsx', projectFile('dev/bench/scale.mjs')];
    const printed = execFileSync(process.execPath, args, { cwd: projectFile('.'), encoding: 'utf8' });
    const page = readFileSync(projectFile('docs/scale.md'), 'utf8').split('\n');
    const lines = printed.split('\n').filter((line) => line.startsWith('|'));
    expect(lines.length).toBeGreaterThan(40);
    expect(lines.filter((line) => !page.includes(line))).toEqual([]);
  });

  it('demand: workers, queues and databases grow with the rate, and a third of each is spare', () => {
    expect(demand(work, 1, limits)).toMatchObject({ workers: 1, queues: 1, databases: 1, lambdaAtOnce: 1 });
    // 10 cores of work on workers that are busy for two thirds; 20,000 statements.
    expect(demand(work, 10_000, limits)).toMatchObject({
      workers: 15,
      queues: 2,
      brokerCores: 2,
      databases: 6,
      lambdaAtOnce: 200,
    });
  });

  it('demand: the costs are those of the formulas in the runbook', () => {
    const { lambdaMonthly, containersMonthly } = demand(
      { ...work, gb: 0.25, lambdaSeconds: 0.05 },
      1,
      limits,
    );
    // The runbook: 0.37 dollars for a million bookings.
    expect((lambdaMonthly / (730 * 3600)) * 1e6).toBeCloseTo(0.367, 3);
    expect(containersMonthly).toBeCloseTo(730 * (0.03238 + 0.25 * 0.00356), 3);
  });

  it('breaks: limits come in the order in which a growing rate meets them', () => {
    expect(breaks(work, limits).map(({ limit, rate }) => [limit, Math.round(rate)])).toEqual([
      ['one call at a time of the mapping on AWS', 50],
      ['one worker', 1000],
      ['one database', 2500],
      ['one queue', 10_000],
      ['calls at a time of Lambda', 50_000],
    ]);
  });

  it('waits: a single server waits as the formula for random arrivals and a constant time has it', () => {
    const [seconds, share] = [0.1, 0.8];
    // The median of the wait of M/D/1 at 80 % is close to its mean, half of 0.1 * 0.8 / 0.2, and at most that.
    const { median, late } = waits(share / seconds, 1, seconds, 400_000, seeded(1));
    expect(median).toBeGreaterThan(0.05);
    expect(median).toBeLessThan(0.2);
    expect(late).toBeGreaterThan(3 * median);
  });
});
