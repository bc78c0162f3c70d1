import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { policiesText, readPolicies } from '../../../runtime/messages/policies.ts';
import { applyTopology, compileTopology, queueSettings } from '../../../runtime/topology/compile.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

describe('the settings of a queue', () => {
  it('are those of the project where it has none of its own', () => {
    const section = {
      retryDelays: [2, 5],
      queues: { a: {}, b: { retryDelays: [7], maxAge: 60, concurrency: 3 } },
    };
    expect(queueSettings(section)).toEqual({
      a: { retryDelays: [2, 5], maxAge: 86_400, concurrency: 1 },
      b: { retryDelays: [7], maxAge: 60, concurrency: 3 },
    });
  });

  it('need a delay queue for each delay that any of them asks for', () => {
    const { queues } = compileTopology({ retryDelays: [5], queues: { a: {}, b: { retryDelays: [7, 5] } } });
    const names = queues.map(({ name }) => name).filter((name) => name.startsWith('warren.retry.'));
    expect(names).toEqual(['warren.retry.5s', 'warren.retry.7s']);
  });

  it.each([
    [{ retryDelays: [] }, 'retryDelays'],
    [{ retryDelays: [0.5] }, 'retryDelays.0'],
    [{ maxAge: 0 }, 'maxAge'],
    [{ concurrency: 101 }, 'concurrency'],
  ])('are refused as %j', (settings, field) => {
    expect(() => queueSettings({ queues: { a: settings } })).toThrow(`custom.warren.queues.a.${field}: `);
  });

  it('reach functions as a variable, where they are not the default', () => {
    expect(policiesText(queueSettings({ queues: { a: {} } }))).toBeUndefined();
    const text = policiesText(queueSettings({ queues: { a: {}, b: { retryDelays: [7], maxAge: 60 } } }));
    expect(readPolicies({ WARREN_RETRY: text })).toEqual({ b: { delays: [7], maxAge: 60 } });
    expect(readPolicies({})).toEqual({});
    expect(() => readPolicies({ WARREN_RETRY: '{"b": {"delays": "soon"}}' })).toThrow(
      'WARREN_RETRY: expected JSON',
    );
  });
});

describe('a queue with delays of its own', () => {
  let broker: TestBroker;
  let publisher: Publisher;
  let queue: string;
  beforeAll(async () => {
    broker = await openBroker();
    publisher = new Publisher({ url: stack.AMQP_URL, name: unique('policies') });
    queue = await broker.queue();
    await applyTopology(stack.AMQP_URL, compileTopology({ queues: { [queue]: { retryDelays: [2] } } }));
  });
  afterAll(async () => {
    await publisher.close();
    // Nobody else has this delay.
    await broker.channel.deleteQueue('warren.retry.2s');
    await broker.channel.deleteExchange('warren.retry.2s');
    await broker.close();
  });

  const policies = () => {
    const text = policiesText(queueSettings({ queues: { [queue]: { retryDelays: [2], maxAge: 1 } } }));
    return readPolicies({ WARREN_RETRY: text });
  };
  const fail = async (error: Error) => {
    const handler = onMessages({ schema: z.unknown(), publisher, policies: policies() }, () =>
      Promise.reject(error),
    );
    const message = await broker.take(queue);
    await handler(toEvent({ arn: 'arn:test', queue, vhost: '/' }, [message]));
  };

  it('gets a message back after that delay, and gives it up after the last one', async () => {
    await broker.send(queue, 'faulty', { contentType: 'application/json' });
    await fail(new Error('first'));
    const failedAt = performance.now();
    await fail(new Error('second'));
    expect(performance.now() - failedAt).toBeGreaterThan(1500);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ reason: 'exhausted', attempts: 2 });
  });

  it('gives a message up whose dependency is away for longer than it allows', async () => {
    await broker.send(queue, 'waiting', { contentType: 'application/json' });
    await fail(new UnavailableError('storage', 'away'));
    await fail(new UnavailableError('storage', 'away'));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ reason: 'too-old', attempts: 2 });
  });
});
