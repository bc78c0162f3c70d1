import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { lambdaInvoke } from '../../../runtime/hosts/lambda.ts';
import type { RabbitMQEvent } from '../../../runtime/messages/event.ts';
import { failuresIn } from '../../../runtime/messages/plain-failures.ts';
import { delivery, dropLetters, openBroker, type TestBroker } from '../../support/broker.ts';
import { feeding, messagesIn, patience } from '../../support/feeding.ts';
import { lambdaApi } from '../../support/lambda-api.ts';

describe.each(['in process', 'through the Lambda API'])('plain functions %s', (host) => {
  let broker: TestBroker;
  const cleanups: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(() => broker.close());

  type Plain = (messages: ReturnType<typeof messagesIn>) => unknown;

  /** @param lambdaMs the Lambda API adds five seconds to the function's own limit. */
  const invokeOf = async (handler: (event: unknown) => Promise<unknown>, lambdaMs = 5000) => {
    const settings = { functionName: 'plain', timeoutMs: lambdaMs };
    const load = async () => handler;
    if (host === 'in process')
      return inProcess({ ...settings, timeoutMs: lambdaMs < 0 ? 500 : lambdaMs, load });
    const { endpoint, close } = await lambdaApi(handler);
    cleanups.push(close);
    return lambdaInvoke({ ...settings, endpoint });
  };

  /** Feeds a function without `onMessages` as a worker does. */
  const feedPlain = async (queue: string, work: Plain, batchSize = 10) => {
    const invoke = await invokeOf(async (event) => work(messagesIn(event as RabbitMQEvent)));
    const source = await feeding(queue, invoke, { batchSize });
    cleanups.push(() => source.stop());
  };

  it('five messages that fail do not hold up the good one behind them', async () => {
    const queue = await broker.queue();
    const bodies = ['bad 1', 'bad 2', 'bad 3', 'bad 4', 'bad 5', 'good'];
    for (const body of bodies) await broker.send(queue, body, { messageId: `${queue} ${body}` });
    const calls: unknown[][] = [];
    await feedPlain(queue, (messages) => {
      calls.push(messages.map(({ body }) => body));
      if (messages.some(({ body }) => body !== 'good')) throw new TypeError('fails');
    });
    await expect.poll(() => calls.some(([body]) => body === 'good'), patience).toBe(true);
    // One call for each of the others at most; before, there were 68.
    expect(calls.findIndex(([body]) => body === 'good')).toBeLessThanOrEqual(5);
    const letters = await dropLetters({ queue }, 5);
    expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['exhausted']));
    expect(letters[0]?.error).toBe('TypeError: fails');
    // Each message alone twice, and batches of those that return together.
    expect(calls.length).toBeLessThan(20);
  });

  it('messages whose batch has a result above 6 MB are all done, on Lambda one at a time and without another attempt', async () => {
    const queue = await broker.queue();
    const bodies = Array.from({ length: 7 }, (_, n) => n);
    for (const body of bodies) await broker.send(queue, body);
    const done: unknown[] = [];
    const attempts: number[] = [];
    await feedPlain(queue, (messages) => {
      attempts.push(...messages.map(({ attempt }) => attempt));
      const result = 'x'.repeat(4_000_000 * messages.length);
      if (host === 'in process' || result.length < 6_000_000) done.push(...messages.map(({ body }) => body));
      return result;
    });
    await expect.poll(() => done.length, patience).toBe(bodies.length);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
    expect([new Set(done), new Set(attempts)]).toEqual([new Set(bodies), new Set([1])]);
  });

  it('a plain function that throws RejectedError has its message dead-lettered at once', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    await feedPlain(queue, () => {
      throw new RejectedError('never');
    });
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({ reason: 'rejected', error: 'RejectedError: never' });
  });

  it('a plain function whose dependency is unavailable gets its message again by the policy of the queue', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    const attempts: number[] = [];
    await feedPlain(queue, (messages) => {
      attempts.push(...messages.map(({ attempt }) => attempt));
      if (attempts.length === 1) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
      if (attempts.length < 4) throw new UnavailableError('database', 'down');
    });
    await expect.poll(() => attempts, patience).toEqual([1, 2, 3, 4]);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
  });

  it('a plain function that is late is retried as one whose dependency is unavailable', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    const attempts: number[] = [];
    const invoke = await invokeOf(async (event) => {
      const attempt = messagesIn(event as RabbitMQEvent)[0]?.attempt ?? 0;
      attempts.push(attempt);
      if (attempt < 4) await new Promise(() => undefined);
    }, -4500);
    const source = await feeding(queue, invoke, {});
    cleanups.push(() => source.stop());
    // Its policy has one retry for a fault.
    await expect.poll(() => attempts, patience).toEqual([1, 2, 3, 4]);
    await expect.poll(() => broker.count(queue), patience).toBe(0);
  });

  it.each([1, 10])(
    'a message whose own dependency is unavailable does not hold up the others, in batches of %d',
    async (batchSize) => {
      const queue = await broker.queue();
      for (const body of ['opens up', 'unavailable', 1, 2, 3]) await broker.send(queue, body);
      const done: unknown[] = [];
      const attempts: number[] = [];
      const work: Plain = (messages) => {
        const failing = messages.find(({ body }) => body === 'unavailable');
        if (failing && failing.attempt < 4) {
          attempts.push(failing.attempt);
          throw new UnavailableError('partner', 'down');
        }
        done.push(...messages.map(({ body }) => body));
      };
      await feedPlain(queue, work, batchSize);
      await expect.poll(() => done.length, patience).toBe(5);
      // The others are done before the next try, and once; an unavailable dependency counts no fault.
      expect(done).toEqual(['opens up', 1, 2, 3, 'unavailable']);
      expect(new Set(attempts)).toEqual(new Set([1, 2, 3]));
      await expect.poll(() => broker.count(queue), patience).toBe(0);
    },
  );

  it.each(['index', 'message id'])(
    'batchItemFailures with the %s retries only those messages',
    async (by) => {
      const queue = await broker.queue();
      const done: unknown[] = [];
      const attempts: number[] = [];
      await feedPlain(queue, (messages) => {
        const failed = messages.filter(({ body, attempt }) => body === 'bad' && attempt === 1);
        done.push(...messages.filter((each) => !failed.includes(each)).map(({ body }) => body));
        attempts.push(...messages.filter(({ body }) => body === 'bad').map(({ attempt }) => attempt));
        const itemIdentifier = (message: (typeof messages)[number]) =>
          by === 'index' ? messages.indexOf(message) : message.messageId;
        return { batchItemFailures: failed.map((each) => ({ itemIdentifier: itemIdentifier(each) })) };
      });
      for (const body of ['opens up', 1, 'bad', 2])
        await broker.send(queue, body, { messageId: `id ${body}` });
      await expect.poll(() => done.length, patience).toBe(4);
      expect(done.toSorted()).toEqual([1, 2, 'bad', 'opens up']);
      expect(attempts).toEqual([1, 2]);
      await expect.poll(() => broker.count(queue), patience).toBe(0);
    },
  );

  it('a result that names no message of the batch fails the whole batch, as on AWS for SQS', async () => {
    const queue = await broker.queue();
    await broker.send(queue, 1);
    await feedPlain(queue, () => ({ batchItemFailures: [{ itemIdentifier: 'unknown' }] }));
    const [letter] = await dropLetters({ queue }, 1);
    expect(letter).toMatchObject({
      reason: 'exhausted',
      error: expect.stringContaining('batchItemFailures: expected message ids or indexes below 1'),
    });
  });
});

describe('failuresIn', () => {
  const source = { queue: 'q', vhost: '/', arn: 'arn', policy: { delays: [7], maxAge: 60 } };
  const deliveries = ['a', 'b', '0'].map((messageId) => delivery('1', { properties: { messageId } }));
  const indexes = (result: unknown) => [...failuresIn(source, deliveries, result).keys()];

  it.each([undefined, null, 'text', {}, { batchItemFailures: [] }, { batchItemFailures: null }])(
    'a function that returns %j has succeeded',
    (result) => expect(indexes(result)).toEqual([]),
  );

  it('an identifier is a message id before it is an index', () => {
    const items = (...ids: unknown[]) => ({
      batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
    });
    expect(indexes(items('b'))).toEqual([1]);
    expect(indexes(items('0', 1))).toEqual([2, 1]);
    expect(failuresIn(source, deliveries, items('b')).get(1)).toMatchObject({
      verdict: { to: 'retry', seconds: 7 },
      fault: true,
    });
  });

  it.each([[['3']], [['']], [[null]], [[-1]]])('the identifiers %j are invalid', (ids) => {
    const result = { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) };
    expect(() => failuresIn(source, deliveries, result)).toThrow('batchItemFailures: expected');
  });
});
