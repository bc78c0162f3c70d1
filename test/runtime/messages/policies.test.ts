import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { UnavailableError } from '../../../runtime/base/errors.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';
import { policiesText, readPolicies } from '../../../runtime/messages/policies.ts';
import { applyTopology } from '../../../runtime/topology/apply.ts';
import { compileTopology } from '../../../runtime/topology/compile.ts';
import { queueSettings } from '../../../runtime/topology/queue-settings.ts';
import { readSection } from '../../../runtime/topology/schema.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

describe('queue settings', () => {
  it('queue settings: a queue without its own has those of the project', () => {
    const section = {
      retryDelays: [2, 5],
      queues: { a: {}, b: { retryDelays: [7], maxAge: 60, concurrency: 3 } },
    };
    expect(queueSettings(readSection(section))).toEqual({
      a: { kind: 'work', retryDelays: [2, 5], maxAge: 86_400, concurrency: 1, redeliveries: 0 },
      b: { kind: 'work', retryDelays: [7], maxAge: 60, concurrency: 3, redeliveries: 0 },
    });
    const calls = readSection({ queues: { c: { kind: 'rpc', redeliveries: 2 } } });
    expect(queueSettings(calls)).toMatchObject({ c: { kind: 'rpc', concurrency: 10, redeliveries: 2 } });
  });

  it('queue settings: each queue has a retry queue for each delay that it uses', () => {
    const { queues } = compileTopology(
      readSection({ retryDelays: [5], queues: { a: {}, b: { retryDelays: [7, 5] } } }),
    );
    const names = queues.filter(({ retryOf }) => retryOf !== undefined).map(({ name }) => name);
    expect(names).toEqual(['a.retry.5s', 'b.retry.7s', 'b.retry.5s']);
  });

  it.each([
    [{ retryDelays: [] }, 'retryDelays'],
    [{ retryDelays: [0.5] }, 'retryDelays.0'],
    [{ maxAge: 0 }, 'maxAge'],
    [{ concurrency: 101 }, 'concurrency'],
    [{ redeliveries: 21 }, 'redeliveries'],
  ])('queue settings: %j is refused', (settings, field) => {
    expect(() => queueSettings(readSection({ queues: { a: settings } }))).toThrow(
      `custom.warren.queues.a.${field}: `,
    );
  });

  it('queue settings: functions get those that are not the default in a variable', () => {
    expect(policiesText(queueSettings(readSection({ queues: { a: {} } })))).toBeUndefined();
    const text = policiesText(
      queueSettings(readSection({ queues: { a: {}, b: { retryDelays: [7], maxAge: 60 } } })),
    );
    expect(readPolicies({ WARREN_RETRY: text })).toEqual({ b: { delays: [7], maxAge: 60 } });
    expect(readPolicies({})).toEqual({});
    expect(() => readPolicies({ WARREN_RETRY: '{"b": {"delays": "soon"}}' })).toThrow(
      'WARREN_RETRY: expected JSON',
    );
  });
});

describe('queue with its own delays', () => {
  let broker: TestBroker;
  let publisher: Publisher;
  let queue: string;
  beforeAll(async () => {
    broker = await openBroker();
    publisher = new Publisher({ url: stack.AMQP_URL, name: unique('policies') });
    queue = await broker.queue();
    await applyTopology(
      stack.AMQP_URL,
      compileTopology(readSection({ queues: { [queue]: { retryDelays: [2] } } })),
    );
  });
  afterAll(async () => {
    await publisher.close();
    await broker.channel.deleteQueue(`${queue}.retry.2s`);
    await broker.close();
  });

  const policies = () => {
    const text = policiesText(
      queueSettings(readSection({ queues: { [queue]: { retryDelays: [2], maxAge: 1 } } })),
    );
    return readPolicies({ WARREN_RETRY: text });
  };
  const fail = async (error: Error) => {
    const handler = onMessages({ schema: z.unknown(), publisher, policies: policies() }, () =>
      Promise.reject(error),
    );
    const message = await broker.take(queue);
    await handler(toEvent({ arn: 'arn:test', queue, vhost: '/' }, [message]));
  };

  it('queue with its own delays: a message returns after the delay and is dead-lettered after the last one', async () => {
    await broker.send(queue, 'faulty', { contentType: 'application/json' });
    await fail(new Error('first'));
    const failedAt = performance.now();
    await fail(new Error('second'));
    expect(performance.now() - failedAt).toBeGreaterThan(1500);
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ reason: 'exhausted', attempts: 2 });
  });

  it('queue with its own delays: a message whose dependency stays unavailable is dead-lettered at the maximum age', async () => {
    await broker.send(queue, 'waiting', { contentType: 'application/json' });
    await fail(new UnavailableError('storage', 'away'));
    await fail(new UnavailableError('storage', 'away'));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ reason: 'too-old', attempts: 2 });
  });
});
