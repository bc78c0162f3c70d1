import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { readSchedules } from '../../../runtime/hosts/rates.ts';
import { Scheduler } from '../../../runtime/hosts/schedule.ts';
import { Turn, turnQueue } from '../../../runtime/hosts/turn.ts';
import { unique } from '../../support/broker.ts';
import { proxyTo, withFaultyServer } from '../../support/faults.ts';
import { stack } from '../../support/stack.ts';

/** Records its begin and its end, and takes WORK_MS milliseconds. */
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
    // The handlers read the environment of the process.
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
  const make = (
    exported: string,
    functions?: string[],
    schedule = 'rate(1 minute)',
    now = Date.now,
    turn?: Turn,
  ) => {
    const job = { handler: `jobs.${exported}`, timeout: 10, events: [{ schedule }] };
    const off = {
      handler: 'jobs.fail',
      events: [{ schedule: { rate: ['rate(5 minutes)'], enabled: false } }],
    };
    scheduler = new Scheduler({
      manifest: { functions: { job, off } },
      folder,
      env,
      log: silentLog,
      now,
      turn,
      ...(functions && { functions }),
    });
    return scheduler;
  };

  it('the scheduler calls a function at once, with EventBridge’s event', async () => {
    make('work').start();
    await expect.poll(notes).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it('apartMs: the first calls of functions with a rate begin one after the other, and a stop does not wait for them', async () => {
    const job = { handler: 'jobs.work', timeout: 10, events: [{ schedule: 'rate(1 minute)' }] };
    const make = (apartMs: number) =>
      new Scheduler({ manifest: { functions: { a: job, b: job } }, folder, env, log: silentLog, apartMs });
    scheduler = make(60_000);
    await scheduler.start();
    await expect.poll(notes).toContain('end');
    expect(await scheduler.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
    const begun = performance.now();
    scheduler = make(200);
    await scheduler.start();
    await expect.poll(notes).toHaveLength(6);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(200);
  });

  it("a rate longer than Node's timers does not call again at once", async () => {
    const started = make('work', ['job'], 'rate(30 days)');
    started.start();
    await expect.poll(notes).toContain('end');
    expect(await started.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it('stop waits for the call in flight, and no other call begins', async () => {
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

  it('of two schedulers with a turn, one calls a function, and the other takes over when it has ended', async () => {
    const turn = (queue: string) => new Turn({ url: stack.AMQP_URL, name: unique('turn'), queue });
    const queue = turnQueue(unique('service'));
    const [first, second] = [turn(queue), turn(queue)];
    const one = make('work', ['job'], 'rate(1 minute)', Date.now, first);
    expect(await one.once()).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
    const other = make('work', ['job'], 'rate(1 minute)', Date.now, second);
    expect(await other.once()).toBe(true);
    expect(await notes()).toHaveLength(2);
    await one.stop();
    await expect.poll(() => second.isMine()).toBe(true);
    expect(await other.once()).toBe(true);
    expect(await notes()).toHaveLength(4);
  });

  it('a scheduler that had the turn goes on while the broker is unavailable, until another has it', async () => {
    const target = new URL(stack.AMQP_URL);
    const proxy = proxyTo(target);
    let isDown = false;
    const serve = (socket: Socket) => (isDown ? socket.destroy() : proxy.serve(socket));
    await withFaultyServer(serve, async (port) => {
      const url = Object.assign(new URL(target), { host: `127.0.0.1:${port}` }).href;
      const queue = turnQueue(unique('service'));
      const turns = [url, url, stack.AMQP_URL].map(
        (each) => new Turn({ url: each, name: unique('turn'), queue }),
      );
      const [first, second, third] = turns as [Turn, Turn, Turn];
      expect([await first.isMine(), await second.isMine()]).toEqual([true, false]);
      isDown = true;
      proxy.cut();
      await expect.poll(() => third.isMine()).toBe(true);
      expect([await first.isMine(), await second.isMine()]).toEqual([true, false]);
      isDown = false;
      expect([await first.isMine(), await second.isMine()]).toEqual([false, false]);
      await Promise.all(turns.map((turn) => turn.close()));
    });
  });

  it('a schedule that is not enabled is left out, and a function without a schedule is refused', () => {
    expect(make('work').scheduled).toEqual([{ functionName: 'job', everyMs: 60_000 }]);
    expect(() => make('work', ['off'])).toThrow('functions: expected some of job, got off');
  });

  it.each([
    ['rate(1 minute)', 60_000],
    ['rate(5 minutes)', 300_000],
    ['rate(1 hour)', 3_600_000],
    ['rate(2 days)', 172_800_000],
  ])('the schedule %s is supported', (schedule, everyMs) => {
    expect(readSchedules({ job: { events: [{ schedule }] } })).toEqual([{ functionName: 'job', everyMs }]);
  });

  it.each([
    ['cron(0/10 * * * ? *)', ['2026-11-29T11:10', '2026-11-29T11:20', '2026-11-29T11:30']],
    ['cron(15 12 * * ? *)', ['2026-11-29T12:15', '2026-11-30T12:15', '2026-12-01T12:15']],
    ['cron(0 18 ? * MON-FRI *)', ['2026-11-30T18:00', '2026-12-01T18:00', '2026-12-02T18:00']],
    ['cron(0/5 8-17 ? * 2-6 *)', ['2026-11-30T08:00', '2026-11-30T08:05', '2026-11-30T08:10']],
    ['cron(0 0 L * ? *)', ['2026-11-30T00:00', '2026-12-31T00:00', '2027-01-31T00:00']],
    ['cron(0 0 3W * ? *)', ['2026-12-03T00:00', '2027-01-04T00:00', '2027-02-03T00:00']],
    ['cron(0 0 ? * 6#3 *)', ['2026-12-18T00:00', '2027-01-15T00:00', '2027-02-19T00:00']],
    ['cron(0 0 ? * 6L *)', ['2026-12-25T00:00', '2027-01-29T00:00', '2027-02-26T00:00']],
    ['cron(0 9 ? * L *)', ['2026-12-05T09:00', '2026-12-12T09:00', '2026-12-19T09:00']],
    ['cron(0 0 1 1 ? 2027-2028)', ['2027-01-01T00:00', '2028-01-01T00:00', undefined]],
  ])('the schedule %s has the times of EventBridge, in UTC', (schedule, times) => {
    const [read] = readSchedules({ job: { events: [{ schedule }] } });
    let at: Date | undefined = new Date('2026-11-29T11:00:00Z');
    const found = times.map(() => {
      at = at && read && 'next' in read ? read.next(at) : undefined;
      return at?.toISOString().slice(0, 16);
    });
    expect(found).toEqual(times);
  });

  it('a cron expression of EventBridge Scheduler has a time zone', () => {
    const schedule = { method: 'scheduler', rate: ['cron(0 12 * * ? *)'], timezone: 'Pacific/Auckland' };
    const [read] = readSchedules({ job: { events: [{ schedule }] } });
    if (!read || !('next' in read)) throw new Error('expected a cron expression');
    expect(read.next(new Date('2026-11-29T11:00:00Z'))?.toISOString()).toBe('2026-11-29T23:00:00.000Z');
  });

  it.each([
    ['cron(0 12 * * *)', 'expected 6 fields, got 5'],
    ['cron(0 12 * * * *)', 'expected ? for either'],
    ['cron(0 12 ? * ? *)', 'expected ? for either'],
    ['cron(60 * * * ? *)', 'minute'],
    ['cron(0 0 ? * 8 *)', 'expected weekdays from 1 to 7, got "8"'],
    ['cron(0 0 L-3 * ? *)', 'L-3'],
    ['cron(0 0 +1 * ? *)', '"+1" is no field'],
    ['cron(/5 * * * ? *)', 'expected a start before each /'],
  ])('the schedule %s is refused with its reason', (schedule, problem) => {
    expect(() => readSchedules({ job: { events: [{ schedule }] } })).toThrow(problem);
  });

  it('a time zone that does not exist is refused', () => {
    const schedule = { rate: 'cron(0 12 * * ? *)', timezone: 'Mars/Phobos' };
    expect(() => readSchedules({ job: { events: [{ schedule }] } })).toThrow(
      /job: schedule: expected an expression/,
    );
  });

  it('the scheduler calls a function at the times of its cron expression, and not at its start', async () => {
    let time = Date.parse('2026-11-29T11:59:59.700Z');
    make('work', ['job'], 'cron(0 12 * * ? *)', () => time);
    await scheduler?.start();
    expect(await notes()).toEqual([]);
    time += 300;
    await expect.poll(notes).toEqual(['begin aws.events Scheduled Event', 'end']);
    // The next one is tomorrow.
    expect(await scheduler?.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toHaveLength(2);
  });

  it('a clock that is set back during a call does not repeat the call', async () => {
    const noon = Date.parse('2026-11-29T12:00:00Z');
    // Before the first call, at its time, after it, and then on.
    const times = [noon - 300, noon, noon - 100];
    let asked = 0;
    const now = () => {
      asked += 1;
      return times[asked - 1] ?? noon + 1000;
    };
    make('work', ['job'], 'cron(0 12 * * ? *)', now);
    await scheduler?.start();
    await expect.poll(() => asked).toBeGreaterThan(4);
    expect(await scheduler?.stop({ deadlineMs: 5000 })).toBe(true);
    expect(await notes()).toEqual(['begin aws.events Scheduled Event', 'end']);
  });

  it.each(['rate(0 minutes)', 'rate(1 second)', 'soon'])('the schedule %s is refused', (schedule) => {
    expect(() => readSchedules({ job: { events: [{ schedule }] } })).toThrow(
      /job: schedule: expected a rate/,
    );
  });
});
