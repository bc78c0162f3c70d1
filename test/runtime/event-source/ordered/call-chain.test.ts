import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EventSource } from '../../../../runtime/event-source/event-source.ts';
import { type Invoke, NotBegunError } from '../../../../runtime/event-source/invoke.ts';
import type { RabbitMQEvent } from '../../../../runtime/messages/event.ts';
import { partitionQueue } from '../../../../runtime/topology/names.ts';
import { feeding, messagesIn, patience } from '../../../support/feeding.ts';
import { FunctionFolder } from '../../../support/function-processes.ts';
import { openVhost, type TestVhost } from '../../../support/vhost.ts';

/** Notes when each message begins and ends; waits for a file, fails or ends its process if the message requests it. */
const module = `
import { appendFileSync, existsSync } from 'node:fs';
const note = (n, step) =>
  appendFileSync(new URL('notes', import.meta.url), JSON.stringify({ n, step, pid: process.pid }) + '\\n');
export async function handler(event) {
  for (const message of Object.values(event.rmqMessagesByQueue).flat()) {
    const { n, until, die, fail } = JSON.parse(Buffer.from(message.data, 'base64').toString());
    note(n, 'begin');
    while (until && !existsSync(new URL(until, import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 10));
    if (die) process.kill(process.pid, 'SIGKILL');
    if (fail) throw new Error('as requested');
    note(n, 'end');
  }
}
`;

interface Note {
  n: string;
  step: 'begin' | 'end';
  pid: number;
}

interface Body {
  n: string;
  until?: string;
  die?: boolean;
  fail?: boolean;
}

const queue = 'orders';
const order = { by: 'header.customer', partitions: 1 };
/** Calls are sent ahead once some were fast. */
const quick = Array.from({ length: 30 }, (_, index) => ({ n: `quick ${index}` }));
const next = Array.from({ length: 3 }, (_, index) => ({ n: `next ${index}` }));
const names = (bodies: readonly Body[]) => bodies.map(({ n }) => n);

describe('the calls of a key that are sent ahead', () => {
  let vhost: TestVhost;
  let folder: FunctionFolder;
  let source: EventSource | undefined;
  /** Messages whose call was sent ahead, and those of them whose call has not begun. */
  let ahead: string[];
  let notBegun: string[];

  beforeAll(async () => {
    vhost = await openVhost({ queues: { [queue]: { orderBy: order.by, partitions: order.partitions } } });
    folder = await FunctionFolder.make(module);
  });
  afterEach(async () => {
    await source?.stop();
    await folder.clear();
    await vhost.channel.purgeQueue(partitionQueue(queue, 0));
  });
  afterAll(async () => {
    await folder.remove();
    await vhost.close();
  });

  /** The same calls, which are noted if they are sent ahead. */
  const watched = (invoke: Invoke): Invoke => {
    const lane = () => {
      const calls = invoke.lane?.();
      if (!calls) throw new Error('expected a lane');
      const send = (event: RabbitMQEvent, took?: (ms: number) => void) => {
        const sent = calls.ahead(event, took);
        const each = messagesIn(event).map(({ body }) => (body as Body).n);
        if (sent) ahead.push(...each);
        sent?.catch((error: unknown) => {
          if (error instanceof NotBegunError) notBegun.push(...each);
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
  const start = async (bodies: readonly Body[], delays: readonly number[] = [1]): Promise<void> => {
    [ahead, notBegun] = [[], []];
    for (const body of [...quick, ...bodies])
      vhost.channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), { headers: { customer: 'ann' } });
    await vhost.channel.waitForConfirms();
    const { invoke } = await folder.start();
    const policy = { delays: [...delays], maxAge: 3600 };
    const settings = { url: vhost.url, order, batchSize: 1, concurrency: 2, policy, maxMessageBytes: 1000 };
    source = await feeding(queue, watched(invoke), settings);
  };
  const begun = async () =>
    (await folder.notes<Note>()).filter(({ step }) => step === 'begin').map(({ n }) => n);
  const ended = async () =>
    (await folder.notes<Note>()).filter(({ step }) => step === 'end').map(({ n }) => n);
  const hasBegun = (n: string) => expect.poll(begun, patience).toContain(n);
  const sent = (bodies: readonly Body[]) =>
    expect.poll(() => ahead, patience).toEqual(expect.arrayContaining(names(bodies)));

  it('orderBy: the next messages of a key are on their way, and each begins when the one before it has ended', async () => {
    await start(next);
    await expect.poll(ended, patience).toContain('next 2');
    const all = names([...quick, ...next]);
    expect(ahead.length).toBeGreaterThan(5);
    const notes = await folder.notes<Note>();
    const expected = all.flatMap((n) => [`${n} begin`, `${n} end`]);
    expect(notes.map(({ n, step }) => `${n} ${step}`)).toEqual(expected);
  });

  it('orderBy: a message that was sent behind one that fails does not begin before that is retried and dead-lettered', async () => {
    await start([{ n: 'fails', until: 'released', fail: true }, ...next]);
    await hasBegun('fails');
    await sent(next.slice(0, 2));
    await folder.mark('released');
    await expect.poll(ended, patience).toContain('next 2');
    expect(notBegun).toEqual(expect.arrayContaining(['next 0', 'next 1']));
    expect((await begun()).slice(quick.length)).toEqual(['fails', 'fails', ...names(next)]);
  });

  it('orderBy: messages that were sent behind one that ends its process are called once, in the next process', async () => {
    await start([{ n: 'guilty', until: 'released', die: true }, ...next], []);
    await hasBegun('guilty');
    await sent(next.slice(0, 2));
    // A process that ends in its first second has not failed because of its call.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await folder.mark('released');
    await expect.poll(ended, patience).toContain('next 2');
    expect((await begun()).slice(quick.length)).toEqual(['guilty', ...names(next)]);
    const notes = await folder.notes<Note>();
    const pidOf = (name: string) => notes.find(({ n }) => n === name)?.pid;
    expect(pidOf('next 0')).not.toBe(pidOf('guilty'));
  });

  it('orderBy: when the worker stops, messages that were sent ahead go back to their partition without a call', async () => {
    await start([{ n: 'in flight', until: 'released' }, ...next]);
    await hasBegun('in flight');
    await sent(next.slice(0, 2));
    const stopped = source?.stop();
    await expect.poll(() => notBegun, patience).toEqual(['next 0', 'next 1']);
    await folder.mark('released');
    expect(await stopped).toBe(true);
    expect((await ended()).slice(quick.length)).toEqual(['in flight']);
    expect((await begun()).slice(quick.length)).toEqual(['in flight']);
    await expect.poll(() => vhost.count(partitionQueue(queue, 0)), patience).toBe(next.length);
  });
});
