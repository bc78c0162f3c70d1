import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { type Invoke, NotBegunError } from '../../../runtime/event-source/invoke.ts';
import { Poller } from '../../../runtime/event-source/poller.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { cuttable, feeding, messagesIn, patience } from '../../support/feeding.ts';
import { FunctionFolder, type Started } from '../../support/function-processes.ts';
import { stack } from '../../support/stack.ts';

/** Notes when each message begins and ends; takes long, fails or ends its process if the message requests it. */
const module = (version = 0) => `
import { appendFileSync, existsSync } from 'node:fs';
const note = (fields) =>
  appendFileSync(new URL('notes', import.meta.url), JSON.stringify({ ...fields, pid: process.pid, version: ${version} }) + '\\n');
export async function handler(event) {
  for (const message of Object.values(event.rmqMessagesByQueue).flat()) {
    const { n, ms, until, die, fail } = JSON.parse(Buffer.from(message.data, 'base64').toString());
    const { redelivered, basicProperties: { headers } } = message;
    note({ n, step: 'begin', redelivered, deliveries: headers?.['x-delivery-count'] ?? 0 });
    if (ms) await new Promise((resolve) => setTimeout(resolve, ms));
    while (until && !existsSync(new URL(until, import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 10));
    if (die) process.kill(process.pid, 'SIGKILL');
    if (fail) throw new Error('as requested');
    note({ n, step: 'end' });
  }
}
`;

interface Note {
  n: unknown;
  step: 'begin' | 'end';
  pid: number;
  version: number;
  redelivered?: boolean;
  deliveries?: number;
}

/** Messages that open a consumer up, so that it holds those behind them. */
const quick = Array.from({ length: 40 }, (_, index) => ({ n: `quick ${index}` }));

describe('calls that are sent ahead', () => {
  let broker: TestBroker;
  let folder: FunctionFolder;
  let source: EventSource | undefined;
  let queue: string;
  /** Messages whose call was sent ahead, and those of them whose call has not begun. */
  let ahead: unknown[];
  let notBegun: unknown[];
  /** Called when a call that was sent ahead has succeeded, before the poller learns it. */
  let ended: (n: unknown) => void;

  beforeAll(async () => {
    broker = await openBroker();
    folder = await FunctionFolder.make(module());
  });
  afterEach(async () => {
    await source?.stop();
    await folder.clear();
    await folder.write(module());
  });
  afterAll(async () => {
    await folder.remove();
    await broker.close();
  });

  /** The same calls, and `ahead` knows which were sent ahead. */
  const watched = (invoke: Invoke): Invoke => {
    const lane = () => {
      const calls = invoke.lane?.();
      if (!calls) throw new Error('no lane');
      const send = (event: RabbitMQEvent, took?: (ms: number) => void) => {
        const sent = calls.ahead(event, took);
        const sentNames = messagesIn(event).map(({ body }) => (body as { n: unknown }).n);
        if (sent) ahead.push(...sentNames);
        void sent?.then(
          () => ended(sentNames[0]),
          () => undefined,
        );
        sent?.catch((error: unknown) => {
          if (error instanceof NotBegunError) notBegun.push(...sentNames);
        });
        return sent;
      };
      return Object.assign((event: RabbitMQEvent) => calls(event), {
        ahead: send,
        recall: () => calls.recall(),
      });
    };
    return Object.assign((event: RabbitMQEvent) => invoke(event), { lane });
  };
  const prepare = async (bodies: readonly object[], timeout?: number): Promise<Started> => {
    ahead = [];
    notBegun = [];
    ended = () => undefined;
    queue = await broker.queue();
    for (const body of bodies) await broker.send(queue, body);
    return folder.start({}, timeout === undefined ? {} : { timeout });
  };
  const start = async (
    bodies: readonly object[],
    { timeout, ...mapping }: Parameters<typeof feeding>[2] & { timeout?: number } = {},
  ): Promise<Started> => {
    const started = await prepare([...quick, ...bodies], timeout);
    source = await feeding(queue, watched(started.invoke), { batchSize: 1, ...mapping });
    return started;
  };
  const notes = () =>
    readFileSync(join(folder.path, 'notes'), { encoding: 'utf8', flag: 'a+' })
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Note);
  const of = (n: unknown) => notes().filter((note) => note.n === n);
  const steps = (n: unknown) => of(n).map(({ step }) => step);
  const has = (n: unknown, step: Note['step']) => expect.poll(() => steps(n), patience).toContain(step);
  const names = (bodies: readonly { n: string }[]) => bodies.map(({ n }) => n);
  /** The function may run ahead of its worker. */
  const sent = () => expect.poll(() => ahead, patience).toEqual(expect.arrayContaining(names(next)));
  const next = Array.from({ length: 5 }, (_, index) => ({ n: `next ${index}` }));

  // A process that ends in its first second has not failed because of its call, which is made again.
  it.each([
    { age: 'some time', ms: 1200, most: 1 },
    { age: 'a moment', ms: 300, most: 2 },
  ])(
    'calls that were sent behind one that ends a process of $age are not blamed, and go on in the next process without another delivery',
    async ({ ms, most }) => {
      await start([{ n: 'guilty', ms, die: true }, ...next], { policy: { delays: [], maxAge: 3600 } });
      await has('next 4', 'end');
      expect(ahead).toEqual(expect.arrayContaining(['guilty', ...names(next)]));
      expect((await dropLetters({ queue }, 1, 20_000))[0]?.reason).toBe('exhausted');
      expect(new Set(steps('guilty'))).toEqual(new Set(['begin']));
      expect(steps('guilty').length).toBeLessThanOrEqual(most);
      expect(notBegun).toEqual(expect.arrayContaining(names(next)));
      const dead = of('guilty').map(({ pid }) => pid);
      for (const { n } of next) {
        expect(steps(n)).toEqual(['begin', 'end']);
        expect(of(n)[0]).toMatchObject({ redelivered: false, deliveries: 0 });
        expect(dead).not.toContain(of(n)[0]?.pid);
      }
      await expect.poll(() => broker.count(queue), patience).toBe(0);
    },
    60_000,
  );

  it('a handler that takes almost all of its time, or hangs, does not make the call behind it late', async () => {
    const slow = ['slow 1', 'slow 2'].map((n) => ({ n, ms: 1400 }));
    await start([...slow, { n: 'hangs', ms: 3_600_000 }, ...next], { timeout: 2 });
    await has('next 4', 'end');
    expect(ahead).toEqual(expect.arrayContaining([...names(slow), 'hangs', ...names(next)]));
    for (const { n } of [...slow, ...next]) expect(steps(n), n).toEqual(['begin', 'end']);
    for (const { n } of next) expect(of(n)[0]).toMatchObject({ redelivered: false, deliveries: 0 });
  }, 60_000);

  it('no call begins before the one in front of it has ended, nor before a failed one is settled', async () => {
    const failing = Array.from({ length: 20 }, (_, n) => ({ n: `each ${n}`, ms: 5, fail: n % 5 === 4 }));
    await start([...failing, ...next]);
    await has('next 4', 'end');
    const first = notes().filter(({ n }, at, all) => all.findIndex((note) => note.n === n) === at);
    expect(first.map(({ n }) => n)).toEqual([...quick, ...failing, ...next].map(({ n }) => n));
    let open: unknown;
    for (const { n, step } of notes()) {
      if (step === 'begin') open = n;
      expect(n).toBe(open);
    }
  }, 60_000);

  it('when the worker stops, the call in flight ends, and those that were sent ahead go back to the queue', async () => {
    await start([{ n: 'in flight', until: 'released' }, ...next]);
    await has('in flight', 'begin');
    await sent();
    const stopped = source?.stop();
    await expect.poll(() => notBegun, patience).toEqual(names(next));
    await folder.mark('released');
    expect(await stopped).toBe(true);
    expect(steps('in flight')).toEqual(['begin', 'end']);
    expect(notes().filter(({ n }) => String(n).startsWith('next'))).toEqual([]);
    await expect.poll(() => broker.count(queue), patience).toBe(next.length);
  }, 60_000);

  it('after a reload, calls that were sent ahead run the new code', async () => {
    const { processes } = await start([{ n: 'in flight', until: 'released' }, ...next]);
    await has('in flight', 'begin');
    await sent();
    await folder.write(module(1));
    await processes.reload();
    await expect.poll(() => notBegun, patience).toEqual(names(next));
    await folder.mark('released');
    await has('next 4', 'end');
    expect(of('in flight').map(({ version }) => version)).toEqual([0, 0]);
    for (const { n } of next) expect(of(n).map(({ version }) => version)).toEqual([1, 1]);
  }, 60_000);

  it('a message that waits too long behind a slow call is not called before it has come again', async () => {
    // On a busy machine those behind it arrive long after it has begun.
    const { invoke } = await prepare([...quick, { n: 'slow', ms: 3000 }, ...next]);
    const [url, name] = [stack.AMQP_URL, unique('ahead')];
    const [connection, publisher] = [new BrokerConnection({ url, name }), new Publisher({ url, name })];
    const mapping = { functionName: 'fed', queue, vhost: '/', arn: 'arn:test', batchSize: 1, windowMs: 0 };
    const arrivals = { earliest: () => performance.now() };
    const limits = { callWithinMs: 1000 };
    const poller = new Poller({
      mapping,
      connection,
      publisher,
      invoke: watched(invoke),
      arrivals,
      ...limits,
    });
    await poller.start();
    // One that has come again may wait too long once more.
    for (const { n } of next) await has(n, 'end');
    await poller.stop();
    await connection.close();
    await publisher.close();
    expect(ahead).toEqual(expect.arrayContaining(names(next)));
    for (const { n } of [{ n: 'slow' }, ...next]) expect(steps(n), n).toEqual(['begin', 'end']);
    for (const { n } of next) expect(of(n)[0], n).toMatchObject({ redelivered: true });
  }, 60_000);

  it('a message whose call has begun when the channel closes is not called again before that call has ended', async () => {
    const { url, cut, close } = await cuttable();
    const { invoke } = await prepare([...quick.slice(0, 5), { n: 'held', ms: 1000 }, ...quick.slice(5)]);
    // So early, the consumer subscribes again after each success, with a larger prefetch.
    ended = (n) => n === 'quick 4' && cut();
    source = await feeding(queue, watched(invoke), { url, batchSize: 1 });
    await has('quick 39', 'end');
    expect(ahead).toContain('held');
    steps('held').forEach((step, at) => {
      expect(step).toBe(at % 2 === 0 ? 'begin' : 'end');
    });
    await source.stop();
    await close();
  }, 60_000);

  it('the time of a call that waited for its turn counts from its beginning, however late the worker reads its end', async () => {
    const ms: number[] = [];
    const each = Array.from({ length: 10 }, (_, n) => ({ n: `each ${n}`, ms: 20 }));
    await start([...each, ...next], { observer: { batch: (_, batch) => ms.push(batch.ms) } });
    await has('each 0', 'begin');
    // Several ends arrive at once.
    const until = performance.now() + 150;
    while (performance.now() < until);
    await has('next 4', 'end');
    await expect.poll(() => ms, patience).toHaveLength(quick.length + each.length + next.length);
    // The process has none for a moment if the worker reads the messages late.
    expect(ahead.filter((n) => new Set<unknown>(names(each)).has(n)).length).toBeGreaterThan(each.length / 2);
    for (const took of ms.slice(quick.length, quick.length + each.length)) expect(took).toBeGreaterThan(18);
  }, 60_000);
});
