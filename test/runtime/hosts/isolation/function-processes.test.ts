import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dropLetters, type TestBroker } from '../../../support/broker.ts';
import { FunctionFolder } from '../../../support/function-processes.ts';
import { stack } from '../../../support/stack.ts';
import { isAlive, type WorkerFolder } from '../../../support/worker-process.ts';
import { testWorkers } from '../../../support/workers.ts';

/** Functions in the process of the worker. */
const together = ['--processes', '0'];
/** One retry, so that a message that always fails is soon a dead letter. */
const oneRetry = { retryDelays: [1] };

/** Requests again and again, and reports which statuses there were. */
function watch(request: () => Promise<Response>) {
  const seen = new Set<number>();
  let over = false;
  const watching = (async () => {
    while (!over) seen.add((await request()).status);
  })();
  return {
    async statuses(): Promise<number[]> {
      over = true;
      await watching;
      return [...seen];
    },
  };
}

describe('functions in processes of their own', { timeout: 120_000 }, () => {
  let broker: TestBroker;
  let folder: WorkerFolder;
  /** The queue of messages that do harm, and that of their neighbors. */
  let bad: string;
  let good: string;

  const { begun, done } = testWorkers((made, at) => {
    broker = made;
    folder = at;
  });

  const feed = (queue: string, event: object = {}) => ({ events: [{ rabbitmq: { queue, ...event } }] });
  const prepare = async (settings: object = {}, custom: object = {}) => {
    good = await broker.queue('good');
    bad = await broker.queue('bad');
    const queues = { [bad]: oneRetry };
    await folder.manifest({ bad: { ...feed(bad), ...settings }, good: feed(good) }, { queues, ...custom });
  };
  const dead = (queue: string) => dropLetters({ queue }, 1, 40_000);
  const pids = () => new Set(folder.notes().map(({ pid }) => pid));

  it('messages that end their process (exit, kill, memory, stray) are dead-lettered after their retries, and one of another queue is handled once', async () => {
    await prepare();
    const ways = await Promise.all(
      ['exit', 'kill', 'memory', 'stray'].map(async (die) => ({ die, queue: await broker.queue(die) })),
    );
    const deadly = ways.map(({ die, queue }) => [die, feed(queue)]);
    const queues = Object.fromEntries(ways.map(({ queue }) => [queue, oneRetry]));
    await folder.manifest({ ...Object.fromEntries(deadly), good: feed(good) }, { queues });
    const { lines, metrics, get } = await folder.start(['--memory', '48']);
    await broker.send(good, { n: 'innocent', ms: 8000 });
    await begun('innocent');
    const health = watch(() => get('/readyz'));
    for (const { die, queue } of ways) await broker.send(queue, { n: die, die });
    for (const { queue } of ways) expect((await dead(queue))[0]?.reason).toBe('exhausted');
    await done('innocent');
    expect(folder.steps('innocent')).toEqual(['begin', 'end']);
    await expect.poll(() => broker.count(good)).toBe(0);
    expect(await health.statuses()).toEqual([200]);
    const text = await metrics();
    for (const { die } of ways) {
      const steps = folder.steps(die);
      expect(
        steps.every((step) => step === 'begin'),
        die,
      ).toBe(true);
      const endings = lines.filter(({ msg }) => msg.startsWith(`the process of ${die} ended`));
      expect(endings.length, die).toBe(steps.length);
      if (die === 'stray') expect(endings[0]?.err?.message).toBe('a stray rejection');
      expect(text).toContain(`warren_function_process_restarts_total{function="${die}"} ${steps.length}`);
    }
  }, 60_000);

  it('a call that computes for longer than two heartbeats harms neither its own connection nor a neighbor', async () => {
    await prepare();
    const url = new URL(stack.AMQP_URL);
    url.searchParams.set('heartbeat', '1');
    const { lines } = await folder.start([], { AMQP_URL: url.href });
    await broker.send(good, { n: 'waits', ms: 5000 });
    await broker.send(bad, { n: 'computes', spinMs: 6000 });
    await done('waits');
    await done('computes');
    await expect.poll(() => broker.count(good)).toBe(0);
    expect([...folder.steps('computes'), ...folder.steps('waits')].toSorted()).toEqual([
      'begin',
      'begin',
      'end',
      'end',
    ]);
    expect(lines.filter(({ msg }) => /subscrib|ended/.test(msg))).toEqual([]);
  }, 60_000);

  it('a late call ends with its process before its message is delivered again, and its neighbor is not counted', async () => {
    await prepare({ timeout: 2 });
    const { metrics, get } = await folder.start();
    await broker.send(good, { n: 'innocent', ms: 5000 });
    await begun('innocent');
    await broker.send(bad, { n: 'endless', spinMs: 3_600_000 });
    const health = watch(() => get('/readyz'));
    await dead(bad);
    await done('innocent');
    expect(folder.steps('innocent')).toEqual(['begin', 'end']);
    expect(await health.statuses()).toEqual([200]);
    expect(await metrics()).toMatch(/^warren_blocked_event_loops_total\{function="bad"\} [1-9]/m);
    const runs = folder.notes().filter(({ n }) => n === 'endless');
    expect(new Set(runs.map(({ pid }) => pid)).size).toBe(runs.length);
    expect(runs.filter(({ pid }) => isAlive(pid))).toEqual([]);
    await broker.send(bad, { n: 'next' });
    await done('next');
  }, 60_000);

  it('with concurrency, a neighbor of the message that ends their process is handled without a second delivery', async () => {
    await prepare({}, {});
    await folder.manifest(
      { bad: feed(bad, { batchSize: 1 }), good: feed(good) },
      { queues: { [bad]: { ...oneRetry, concurrency: 2 } } },
    );
    await folder.start();
    await broker.send(bad, { n: 'innocent', ms: 3000 });
    await begun('innocent');
    await broker.send(bad, { n: 'guilty', ms: 200, die: 'exit' });
    await dead(bad);
    await done('innocent');
    expect(folder.steps('innocent').filter((step) => step === 'end')).toEqual(['end']);
    const counts = folder.notes().filter(({ n }) => n === 'innocent');
    expect(counts.map(({ redelivered, deliveries }) => [redelivered, deliveries])).toEqual(
      counts.map(() => [false, 0]),
    );
  }, 60_000);

  it('over RPC, calls whose process ends are answered with an error and made once, the neighbor too', async () => {
    const calls = await broker.queue('calls', { 'x-queue-type': 'classic' });
    await prepare();
    await folder.manifest({ bad: feed(calls), good: feed(good) }, { queues: { [calls]: { kind: 'rpc' } } });
    await folder.start();
    const { queue: replyTo } = await broker.channel.assertQueue('', { exclusive: true });
    const options = (id: string) => ({ replyTo, correlationId: id });
    await broker.send(calls, { n: 'innocent', ms: 15_000 }, options('innocent'));
    await begun('innocent');
    await broker.send(calls, { n: 'guilty', die: 'exit' }, options('guilty'));
    const replies = [await broker.take(replyTo), await broker.take(replyTo)];
    expect(replies.map(({ properties }) => properties.correlationId as string).toSorted()).toEqual([
      'guilty',
      'innocent',
    ]);
    for (const { properties } of replies) expect(properties.type).toBe('error');
    await broker.send(calls, { n: 'next' }, options('next'));
    await done('next');
    for (const n of ['innocent', 'guilty']) expect(folder.steps(n)).toEqual(['begin']);
  }, 60_000);

  it('over RPC, the deadline of a caller ends its call and leaves the process to its neighbor', async () => {
    const calls = await broker.queue('calls', { 'x-queue-type': 'classic' });
    await prepare();
    await folder.manifest({ bad: feed(calls), good: feed(good) }, { queues: { [calls]: { kind: 'rpc' } } });
    const { lines } = await folder.start();
    const { queue: replyTo } = await broker.channel.assertQueue('', { exclusive: true });
    await broker.send(calls, { n: 'neighbor', ms: 4000 }, { replyTo, correlationId: 'neighbor' });
    await begun('neighbor');
    const hurried = { replyTo, correlationId: 'hurried', expiration: '1000' };
    await broker.send(calls, { n: 'hurried', ms: 9000 }, hurried);
    const reply = await broker.take(replyTo);
    expect(reply.properties.correlationId).toBe('hurried');
    expect(JSON.parse(reply.content.toString())).toMatchObject({ status: 504 });
    await done('neighbor');
    expect(pids().size).toBe(1);
    expect(lines.filter(({ msg }) => /replacing|ended/.test(msg))).toEqual([]);
  }, 60_000);

  it('over RPC, a call that blocks its process is answered at its deadline, and the next one waits for another process', async () => {
    const calls = await broker.queue('calls', { 'x-queue-type': 'classic' });
    await prepare();
    const rpc = { queues: { [calls]: { kind: 'rpc' } } };
    await folder.manifest({ bad: { ...feed(calls), timeout: 6 }, good: feed(good) }, rpc);
    await folder.start();
    const { queue: replyTo } = await broker.channel.assertQueue('', { exclusive: true });
    const endless = { replyTo, correlationId: 'endless', expiration: '2000' };
    await broker.send(calls, { n: 'endless', spinMs: 3_600_000 }, endless);
    await begun('endless');
    await broker.send(calls, { n: 'next' }, { replyTo, correlationId: 'next', expiration: '25000' });
    const reply = await broker.take(replyTo);
    expect(reply.properties.correlationId).toBe('endless');
    expect(JSON.parse(reply.content.toString())).toMatchObject({ status: 504 });
    await done('next');
    for (const [n, steps] of Object.entries({ endless: ['begin'], next: ['begin', 'end'] }))
      expect(folder.steps(n), n).toEqual(steps);
    expect(pids().size).toBe(2);
  }, 60_000);

  it('a process that ends soon after each start makes the worker unready, and its messages wait without a call', async () => {
    await prepare();
    await folder.manifest({ bad: { ...feed(bad), handler: 'fragile.handler' }, good: feed(good) });
    const { lines, get } = await folder.start();
    await broker.send(bad, { n: 'first' });
    await done('first');
    const release = await folder.mark('fragile');
    const ended = () => lines.filter(({ msg }) => msg.startsWith('the process of bad ended'));
    process.kill([...pids()][0] as number, 'SIGKILL');
    const ready = async () => {
      const answer = await get('/readyz');
      return `${answer.status} ${await answer.text()}`;
    };
    await expect.poll(ready, { timeout: 30_000 }).toBe('503 no process: bad\n');
    expect((await get('/healthz')).status).toBe(200);
    await broker.send(bad, { n: 'kept' });
    await broker.send(good, { n: 'innocent' });
    await done('innocent');
    const endings = ended().length;
    await expect.poll(() => ended().length, { timeout: 30_000 }).toBeGreaterThan(endings);
    expect(folder.steps('kept')).toEqual([]);
    await release();
    await done('kept');
    // The consumer may hold several messages, and then returns them once, to wait with one.
    const [first] = folder.notes().filter(({ n }) => n === 'kept');
    expect(first?.deliveries).toBeLessThanOrEqual(1);
    await expect.poll(ready).toBe('200 ok\n');
  }, 90_000);

  it('two functions of one file have the environments that the manifest gives them', async () => {
    await prepare();
    await folder.manifest({
      bad: { ...feed(bad), environment: { TABLE: 'archive' } },
      good: { ...feed(good), environment: { TABLE: 'orders' } },
    });
    await folder.start();
    await broker.send(bad, { n: 1 });
    await broker.send(good, { n: 2 });
    await done(1);
    await done(2);
    const tables = folder.notes().map((note) => [note.function, note.n, note.table]);
    expect(tables).toContainEqual(['bad', 1, 'archive']);
    expect(tables).toContainEqual(['good', 2, 'orders']);
  });

  it('at SIGTERM the calls in flight end, the other messages stay, and no process is left', async () => {
    await prepare();
    await folder.manifest({ bad: feed(bad, { batchSize: 1 }), good: feed(good) });
    const { child, exited } = await folder.start();
    await broker.send(bad, { n: 1, ms: 2000 });
    await begun(1);
    await broker.send(bad, { n: 2 });
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(folder.steps(1)).toEqual(['begin', 'end']);
    expect(folder.steps(2)).toEqual([]);
    await expect.poll(() => broker.count(bad)).toBe(1);
    expect([...pids()].filter(isAlive)).toEqual([]);
  });

  it('at the deadline of the drain the processes end with the worker, and a second signal ends it at once', async () => {
    await prepare();
    for (const [drain, signals] of [
      ['1', 1],
      ['60', 2],
    ] as const) {
      const { child, exited, lines } = await folder.start(['--drain', drain]);
      await broker.send(good, { n: drain, ms: 15_000 });
      await begun(drain);
      child.kill('SIGTERM');
      await expect.poll(() => lines.some(({ msg }) => msg === 'draining')).toBe(true);
      if (signals === 2) child.kill('SIGTERM');
      expect(await exited).toBe(1);
      await expect.poll(() => [...pids()].filter(isAlive), { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => broker.count(good), { timeout: 10_000 }).toBe(1);
      await broker.drain(good);
    }
  }, 60_000);

  it('no process outlives a worker that was killed, even if its function computes without end', async () => {
    await prepare();
    const { child } = await folder.start();
    await broker.send(bad, { n: 'computes', spinMs: 600_000 });
    await broker.send(good, { n: 'waits', ms: 600_000 });
    await begun('computes');
    await begun('waits');
    expect([...pids()].filter(isAlive)).toHaveLength(2);
    child.kill('SIGKILL');
    await expect.poll(() => [...pids()].filter(isAlive), { timeout: 10_000 }).toEqual([]);
  });

  it('--processes shares the calls of one function among several processes, and their output goes through', async () => {
    await prepare();
    await folder.manifest({ good: feed(good, { batchSize: 1 }) }, { queues: { [good]: { concurrency: 2 } } });
    const { child, texts, metrics } = await folder.start(['--processes', '2']);
    // A process that has just started may not answer in time, and the other one has both calls.
    for (let n = 1; n <= 20 && pids().size < 2; n += 2) {
      await broker.send(good, { n, ms: 1000 });
      await broker.send(good, { n: n + 1, ms: 1000, print: 'a line of the function' });
      await done(n);
      await done(n + 1);
    }
    expect(pids().size).toBe(2);
    expect(pids()).not.toContain(child.pid);
    // Output has a pipe of its own, and may come later.
    await expect.poll(() => texts, { timeout: 10_000 }).toContain('a line of the function');
    expect(await metrics()).toContain('warren_function_processes{function="good"} 2');
  }, 60_000);

  it.each([
    ['exports no such function', 'work.missing', /^warren: functions\.bad: .*exports no function "missing"/],
    ['throws', 'throws.handler', /no such setting/],
    ['ends its process', 'exits.handler', /^warren: functions\.bad: its process ended with code 3 while/],
  ])('a function whose module %s keeps the worker from starting', async (_what, handler, problem) => {
    await prepare();
    await writeFile(join(folder.path, 'throws.mjs'), "throw new Error('no such setting');");
    await writeFile(join(folder.path, 'exits.mjs'), 'process.exit(3);');
    await folder.manifest({ bad: { ...feed(bad), handler }, good: feed(good) });
    const { exited, errors, lines } = await folder.start();
    expect(await exited).toBe(1);
    expect(errors()).toMatch(problem);
    expect(lines.filter(({ msg }) => /consuming|starting another/.test(msg))).toEqual([]);
  });

  it('a function that does not finish loading within its limit fails the start', async () => {
    const hanging = await FunctionFolder.make('await new Promise(() => {});');
    const problem = 'functions.work: expected to be loaded within 3 s';
    await expect(hanging.start({}, { loadMs: 3000 })).rejects.toThrow(problem);
    await hanging.remove();
  });

  it('in the process of the worker, an error that nothing has caught fails the calls in flight and ends the worker in order', async () => {
    await prepare();
    const { exited, lines } = await folder.start(together);
    await broker.send(good, { n: 'waits', ms: 8000 });
    await begun('waits');
    await broker.send(bad, { n: 'guilty', die: 'stray' });
    expect(await exited).toBe(1);
    const strays = lines.filter(({ msg }) => msg.startsWith('an error was not caught'));
    expect(strays.map(({ err }) => err?.message)).toEqual(['a stray rejection']);
    expect(folder.steps('waits')).toEqual(['begin']);
    await expect.poll(() => broker.count(good), { timeout: 10_000 }).toBe(1);
  });

  it('in the process of the worker, a call that blocks the event loop for longer than a heartbeat is logged with its function', async () => {
    await prepare();
    const url = new URL(stack.AMQP_URL);
    const { lines } = await folder.start([...together, '--heartbeat', '2'], { AMQP_URL: url.href });
    await broker.send(bad, { n: 1, spinMs: 3000 });
    await done(1);
    const blocked = () => lines.find(({ msg }) => msg.startsWith('the event loop was blocked'));
    await expect.poll(blocked, { timeout: 10_000 }).toMatchObject({ functions: ['bad'] });
  });
});
