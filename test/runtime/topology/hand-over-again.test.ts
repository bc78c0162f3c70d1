import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { handOverAgain } from '../../../runtime/local/hand-over-again.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { delayLevel, dueAtHeader } from '../../../runtime/topology/delay-names.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { patience } from '../../support/feeding.ts';

const againMs = 3000;
/** The level of 0.5 s, on which a message waits after that of 2 s, if its delay is 2.5 s. */
const [next, delay] = [delayLevel(1), 2500];

describe('delayed messages whose next level is not up yet when they are handed over, as after a start of the broker', () => {
  let broker: PrivateBroker;
  let publisher: Publisher;
  let channel: Channel;
  const closing: (() => Promise<unknown>)[] = [];
  /** Calls a function of the queue's Raft server. */
  const raft = (name: 'stop_server' | 'restart_server', queue: string) =>
    broker.control('eval', `ok = ra:${name}(quorum_queues, {'%2F_${queue}', node()}).`);

  beforeAll(async () => {
    broker = await privateBroker(undefined, handOverAgain(againMs));
    await applyTopology(broker.url, compileTopology(readSection({ queues: { own: { delays: true } } })));
    publisher = new Publisher({ url: broker.url, name: 'hand-over' });
    const model = await connect(broker.url);
    channel = await model.createChannel();
    closing.push(
      () => publisher.close(),
      () => model.close(),
    );
  }, 60_000);
  afterAll(async () => {
    for (const close of closing) await close();
    await broker.close();
  });

  it('are neither lost nor doubled, and late by the time after which the broker tries again, or twice that', async () => {
    const late = new Map<string, number[]>();
    await channel.consume('own', (message) => {
      const { messageId, headers = {} } = message?.properties ?? {};
      const ms = Date.now() - Date.parse(String(headers[dueAtHeader]));
      late.set(String(messageId), [...(late.get(String(messageId)) ?? []), ms]);
    });
    await raft('stop_server', next);
    // A slow first publish would have less delay left, and wait on other levels.
    await publisher.ready();
    const publish = (messageId: string) =>
      publisher.publish({ exchange: '', routingKey: 'own', messageId, body: {}, delay });
    await publish('first');
    // The broker's timer begins with the first message, so it is not yet time for the second one when it fires.
    await new Promise((resolve) => setTimeout(resolve, againMs / 2));
    await publish('second');
    // Both were handed over, and the level has not taken them.
    await expect.poll(async () => (await channel.checkQueue(delayLevel(3))).messageCount, patience).toBe(0);
    await raft('restart_server', next);
    await expect
      .poll(() => [...late.keys()].sort(), { ...patience, timeout: 30_000 })
      .toEqual(['first', 'second']);
    const [[first = 0, ...again] = [], [second = 0, ...more] = []] = [late.get('first'), late.get('second')];
    expect([again, more]).toEqual([[], []]);
    // The delay is rounded up to a quarter of a second.
    expect(first).toBeGreaterThanOrEqual(againMs);
    expect(second).toBeGreaterThan(againMs * 1.4);
    expect(Math.max(first, second)).toBeLessThan(2 * againMs + 5000);
  }, 60_000);
});
