import type { GetMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { listDeadLetters } from '../../../runtime/dead-letters/dead-letters.ts';
import { replayDeadLetters } from '../../../runtime/dead-letters/replay.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onFailure } from '../../../runtime/messages/failure-events.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { republish } from '../../../runtime/messages/republish.ts';
import { recordingPublisher } from '../../../runtime/testing/recording-publisher.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { received } from '../../support/received.ts';
import { stack } from '../../support/stack.ts';

let broker: TestBroker;
let publisher: Publisher;
let queue: string;
let other: string;

beforeAll(async () => {
  broker = await openBroker();
  publisher = new Publisher({ url: stack.AMQP_URL, name: unique('copies') });
  [queue, other] = [await broker.queue(), await broker.queue('other')];
});
afterEach(async () => {
  await broker.channel.purgeQueue(queue);
  await broker.channel.purgeQueue(other);
});
afterAll(async () => {
  await publisher.close();
  await broker.close();
});

const fail = (message: GetMessage, error: Error, delays = [1]) => {
  const run = onMessages({ schema: z.unknown(), publisher, policy: { delays } }, () => Promise.reject(error));
  return run(toEvent({ arn: 'arn', queue, vhost: '/' }, [message]));
};

/** Polls, because other tests also read the dead letters, which hides them for a moment. */
const replay = async () => {
  const again = async () => (await replayDeadLetters(stack.AMQP_URL, { queue })).replayed.length;
  await expect.poll(again, { timeout: 15_000, interval: 100 }).toBe(1);
};

/** A message that expired before in a foreign queue and has `x-death` from the broker. */
const died = async (): Promise<GetMessage> => {
  const foreign = await broker.queue('foreign', {
    'x-message-ttl': 1,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
  });
  await broker.send(foreign, { n: 1 });
  return broker.take(queue);
};

const sent = (options: Parameters<TestBroker['send']>[2]) => async (): Promise<GetMessage> => {
  await broker.send(queue, { n: 1 }, options);
  const message = await broker.take(queue);
  await broker.drain(other);
  return message;
};

describe.each<[string, () => Promise<GetMessage>]>([
  ['an expiration', sent({ expiration: '60000' })],
  ['a user id', sent({ userId: new URL(stack.AMQP_URL).username })],
  ['CC', () => sent({ CC: [other] })()],
  ['BCC', () => sent({ BCC: [other] })()],
  ['x-death', died],
])('republished message with %s', (_what, come) => {
  const expectOnceAndOnlyHere = async () => {
    const message = await broker.take(queue);
    expect(message.content.toString()).toBe('{"n":1}');
    expect(message.properties.expiration).toBeUndefined();
    expect([await broker.count(queue), await broker.count(other)]).toEqual([0, 0]);
    return message;
  };

  it('republish: a retry arrives in its queue once and in no other queue', async () => {
    await fail(await come(), new Error('later'));
    // A second time too: the broker added x-death in the retry queue.
    await fail(await expectOnceAndOnlyHere(), new Error('later'), [1, 1]);
    await expectOnceAndOnlyHere();
    expect(await listDeadLetters(stack.AMQP_URL, { queue })).toEqual([]);
  });

  it('republish: a replayed dead letter arrives in its queue once and in no other queue', async () => {
    await fail(await come(), new RejectedError('never'));
    await replay();
    const message = await expectOnceAndOnlyHere();
    expect(message.properties.headers).not.toHaveProperty('x-warren-attempts');
    // Its attempts start again.
    await fail(message, new Error('later'));
    const home = await expectOnceAndOnlyHere();
    expect(home.properties.headers).toMatchObject({ 'x-warren-attempts': 1 });
  });
});

describe('copy without a queue', () => {
  it('republish: a copy that reaches no queue fails the call, and the broker keeps the message', async () => {
    await broker.send(queue, { n: 1 });
    const message = await broker.channel.get(queue);
    if (!message) throw new Error('no message');
    // The queue has no retry queue for this delay.
    const failing = fail(message, new Error('later'), [77_777]);
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      cause: { code: 'ERR_UNROUTABLE' },
    });
    broker.channel.nack(message);
    await expect.poll(() => broker.count(queue)).toBe(1);
    expect(await listDeadLetters(stack.AMQP_URL, { queue })).toEqual([]);
  });
});

describe('replayed dead letter', () => {
  it('replay: a dead letter without a routing key does not get the name of its queue', async () => {
    const properties = { headers: { 'x-warren-queue': queue, 'x-warren-reason': 'rejected' } };
    await broker.publish('warren.dead', queue, { n: 1 }, properties);
    await replay();
    const { headers } = (await broker.take(queue)).properties;
    expect(headers).not.toHaveProperty('x-routing-key');
  });

  it('replay: a dead letter keeps its caller', async () => {
    const headers = { 'x-warren-queue': queue, 'x-warren-reason': 'rejected', 'x-warren-sub': '7' };
    await broker.publish('warren.dead', queue, { n: 1 }, { headers });
    await replay();
    const message = await broker.take(queue);
    expect(message.properties.headers).toMatchObject({ 'x-warren-sub': '7' });
    expect(message.properties.headers).not.toHaveProperty('x-warren-queue');
  });
});

describe('record of a failure', () => {
  const verdict = { to: 'retry', seconds: 1 } as const;
  const failure = { message: received(), verdict, error: new Error('later') };
  const recorded: unknown[] = [];
  let stop = () => {};
  beforeEach(() => {
    recorded.length = 0;
    stop = onFailure((message) => recorded.push(message));
  });
  afterEach(() => stop());

  it('republish: a failure is recorded when its copy is confirmed', async () => {
    const recording = recordingPublisher();
    const copies = recording.published;
    await republish(recording, failure);
    expect(copies).toMatchObject([{ exchange: 'warren.retry', routingKey: 'q.retry.1s' }]);
    expect(recorded).toEqual([{ queue: 'q', to: 'retry', reason: 'retry' }]);
  });

  it('republish: a failure is not recorded if its copy is not confirmed', async () => {
    const publish = () => Promise.reject(new UnavailableError('broker', 'unavailable'));
    await expect(republish({ publish }, failure)).rejects.toThrow(UnavailableError);
    expect(recorded).toEqual([]);
  });
});
