import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { readSchedules } from '../../../runtime/hosts/rates.ts';
import { Scheduler } from '../../../runtime/hosts/schedule.ts';

/** Records when it begins and ends; takes WORK_MS milliseconds. */
const handlers = `
import { appendFileSync } from 'node:fs';
const note = (text) => appendFileSync(process.env.NOTES, text + '\\n');
export const work = async (event) => {
  note('begin ' + event.source + ' ' + event['detail-type']);
  await new Promise((done) => setTimeout(done, Number(process.env.WORK_MS)));
  note('end');
};
export const fail = async () => { note('fail'); throw new Error('as it should'); };
`;

describe('the scheduler', () => {
  let folder: string;
  let scheduler: Scheduler | undefined;
  let env: NodeJS.ProcessEnv;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-schedule-'));
    await writeFile(join(folder, 'jobs.mjs'), handlers);
    await writeFile(join(folder, 'notes'), '');
    // The handlers read the process's own.
    env = process.env;
    Object.assign(env, { NOTES: join(folder, 'notes'), WORK_MS: '0' });
  });
  afterEach(async () => {
    await scheduler?.stop({ deadlineMs: 5000 });
    scheduler = undefined;
    for (const name of ['NOTES', 'WORK_MS']) delete env[name];
    await rm(folder, { recursive: true, force: true });
  });

  const notes = async () =>
    (await readFile(join(folder, 'notes'), 'utf8')).trim().split('\n').filter(Boolean);
  const make = (exported: string, functions?: string[], schedule = 'rate(1 minute)') => {
    const job = { handler: `jobs.${exported}`, timeout: 10, events: [{ schedule }] };
    const off = {
      handler: 'jobs.fail',
      events: [{ schedule: { rate: ['rate(5 minutes)'], enabled: false } }],
    };
    scheduler = new Scheduler({
      ...{ manifest: { functions: { job, off } }, folder, env, log: silentLog },
      ...(functions && { functions }),
    });
    return scheduler;
  };

  it('calls a function at once, with EventBridge’s event', async () => {
    make('work').start();
    await expect.poll(notes).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it("a rate longer than Node's timers does not call again at once", async () => {
    const started = make('work', ['job'], 'rate(30 days)');
    started.start();
    await expect.poll(notes).toContain('end');
    expect(await started.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it('lets a call that is under way end, and begins no other', async () => {
    env['WORK_MS'] = '300';
    const started = make('work');
    started.start();
    await expect.poll(notes).toHaveLength(1);
    expect(await started.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it('stop returns false if a call did not end in time', async () => {
    env['WORK_MS'] = '1000';
    const started = make('work');
    started.start();
    await expect.poll(notes).toHaveLength(1);
    expect(await started.stop({ deadlineMs: 20 })).toBe(false);
  });

  it('once() calls each function once, and returns whether all calls succeeded', async () => {
    expect(await make('work').once()).toBe(true);
    expect(await make('fail').once()).toBe(false);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end', 'fail']);
  });

  it('leaves out what is not enabled, and refuses what has no schedule', () => {
    expect(make('work').scheduled).toEqual([{ functionName: 'job', everyMs: 60_000 }]);
    expect(() => make('work', ['off'])).toThrow('functions: expected some of job, got off');
  });

  it.each([
    ['rate(1 minute)', 60_000],
    ['rate(5 minutes)', 300_000],
    ['rate(1 hour)', 3_600_000],
    ['rate(2 days)', 172_800_000],
  ])('knows %s', (schedule, everyMs) => {
    expect(readSchedules({ job: { events: [{ schedule }] } })).toEqual([{ functionName: 'job', everyMs }]);
  });

  it.each(['rate(0 minutes)', 'rate(1 second)', 'cron(0 12 * * ? *)', 'soon'])('refuses %s', (schedule) => {
    expect(() => readSchedules({ job: { events: [{ schedule }] } })).toThrow(
      /job: schedule: expected a rate/,
    );
  });
});
