import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import type { Invoke } from '../../../runtime/event-source/invoke.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { diffTopology } from '../../../runtime/topology/diff.ts';
import { deadLetters, retryQueue } from '../../../runtime/topology/names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

const topologyOf = (section: object) => compileTopology(readSection(section));
/** How often each value comes, such as `{ 1: 200 }` if 200 of them come once. */
const timesOf = (values: readonly unknown[]) => {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const times: Record<number, number> = {};
  for (const count of counts.values()) times[count] = (times[count] ?? 0) + 1;
  return times;
};

/** The steps of docs/delays.md#another-delay. */
describe('another delay', () => {
  let vhost: TestVhost;
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await vhost.close();
  });
  const diff = async (section: object) =>
    diffTopology(topologyOf(section), { managementUrl: stack.AMQP_MANAGEMENT_URL, vhost: vhost.name });

  it('retryDelays: changed while messages fail and wait, none is lost, doubled or retried before its own delay', async () => {
    const sectionOf = (seconds: number) => ({ retryDelays: [seconds], queues: { mails: {} } });
    vhost = await openVhost(sectionOf(2));
    const calls: { n: number; attempt: number; at: number; seconds: number }[] = [];
    const start = (seconds: number): Promise<EventSource> => {
      const invoke: Invoke = async (event) => {
        const failed = messagesIn(event).filter(({ body, attempt }) => {
          calls.push({ n: body as number, attempt, at: performance.now(), seconds });
          return attempt === 1;
        });
        if (failed.length > 0) throw new Error('each fails once');
      };
      return feeding('mails', invoke, {
        url: vhost.url,
        batchSize: 1,
        windowMs: 0,
        policy: { delays: [seconds], maxAge: 3600 },
      });
    };
    const before = await start(2);
    closing.push(() => before.stop());
    let [sent, flows] = [0, true];
    const flow = (async () => {
      for (; flows; sent += 1) {
        vhost.channel.sendToQueue('mails', Buffer.from(`${sent}`), {
          messageId: `${sent}`,
          persistent: true,
        });
        await vhost.channel.waitForConfirms();
        await pause(10);
      }
    })();
    const waiting = () => vhost.count(retryQueue('mails', 2));
    await expect.poll(waiting, patience).toBeGreaterThan(20);
    await applyTopology(vhost.url, topologyOf(sectionOf(3)));
    // Workers of both settings run side by side while they are replaced.
    const after = await start(3);
    closing.push(() => after.stop());
    await expect.poll(() => vhost.count(retryQueue('mails', 3)), patience).toBeGreaterThan(0);
    expect(await waiting()).toBeGreaterThan(0);
    await before.stop();
    flows = false;
    await flow;
    await expect.poll(() => calls.filter(({ attempt }) => attempt === 2).length, patience).toBe(sent);
    await after.stop();
    expect(timesOf(calls.map(({ n }) => n))).toEqual({ 2: sent });
    const first = new Map(calls.filter(({ attempt }) => attempt === 1).map((call) => [call.n, call]));
    const early = calls.filter(({ n, attempt, at }) => {
      const failed = first.get(n);
      return attempt === 2 && (!failed || at - failed.at < failed.seconds * 1000);
    });
    expect(early).toEqual([]);
    expect(new Set([...first.values()].map(({ seconds }) => seconds))).toEqual(new Set([2, 3]));
    const left = [retryQueue('mails', 2), retryQueue('mails', 3), deadLetters, 'mails'];
    expect(await Promise.all(left.map((name) => vhost.count(name)))).toEqual([0, 0, 0, 0]);
    expect(JSON.stringify(await diff(sectionOf(3)))).toContain(retryQueue('mails', 2));
  }, 90_000);

  it('delays: changed while messages wait in many levels, none is lost, doubled or early, also if their exchange has none any more', async () => {
    const bindings = [{ exchange: 'walks', routingKey: 'walk.*' }];
    const first = {
      exchanges: { walks: { type: 'topic', delays: true } },
      queues: { reminders: { bindings } },
    };
    const second = {
      exchanges: { walks: { type: 'topic', delays: true }, baths: { type: 'topic', delays: true } },
      queues: { reminders: { bindings, delays: true }, texts: { bindings } },
    };
    const third = {
      exchanges: { walks: { type: 'topic' }, baths: { type: 'topic', delays: true } },
      queues: { reminders: { bindings }, texts: { bindings } },
    };
    vhost = await openVhost(first);
    const publisher = new Publisher({ url: vhost.url, name: 'delays' });
    closing.push(() => publisher.close());
    const arrived: { queue: string; n: number; late: number }[] = [];
    const consume = (queue: string) =>
      vhost.channel.consume(
        queue,
        (message) => {
          if (!message) return;
          const late = Date.now() - Date.parse(String(message.properties.headers?.['x-warren-due-at']));
          arrived.push({ queue, n: Number(message.content), late });
        },
        { noAck: true },
      );
    await consume('reminders');
    let sent = 0;
    const publish = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () => {
          const n = sent++;
          const delay = 3000 + (n % 40) * 150;
          return publisher.publish({ exchange: 'walks', routingKey: 'walk.soon', body: n, delay });
        }),
      );
    await publish(200);
    const flow = publish(200);
    await applyTopology(vhost.url, topologyOf(second));
    await flow;
    await consume('texts');
    await publish(100);
    // The last ones are on the ladder when their exchange loses its delays.
    await applyTopology(vhost.url, topologyOf(third));
    const of = (queue: string) => arrived.filter((each) => each.queue === queue).map(({ n }) => n);
    await expect.poll(() => of('reminders').length, patience).toBe(sent);
    await expect.poll(() => new Set(of('texts')).size, patience).toBe(sent);
    await pause(500);
    expect([timesOf(of('reminders')), timesOf(of('texts'))]).toEqual([{ 1: sent }, { 1: sent }]);
    expect(arrived.filter(({ late }) => late < 0)).toEqual([]);
    expect(await vhost.count(deadLetters)).toBe(0);
  }, 90_000);
});
