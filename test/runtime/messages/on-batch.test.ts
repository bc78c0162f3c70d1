import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invoke, rabbitMQEvent, recordingPublisher } from 'warren/testing';
import { z } from 'zod';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { RejectedError, UnavailableError } from '../../../runtime/base/errors.ts';
import { silentLog } from '../../../runtime/base/log.ts';
import { EventSource } from '../../../runtime/event-source/event-source.ts';
import { inProcess } from '../../../runtime/hosts/in-process.ts';
import { type BatchFailures, type BatchMessage, onBatch } from '../../../runtime/messages/on-batch.ts';
import type { Message } from '../../../runtime/messages/received.ts';
import { dropLetters, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

const schema = z.object({ n: z.number() });
type Handle = (
  messages: readonly BatchMessage<Message<{ n: number }>>[],
) => Promise<BatchFailures | undefined>;

/** Runs a handler on a batch, and returns the exchange of each copy. */
const copiesOf = async (bodies: readonly unknown[], handle: Handle, timeoutMs = 15_000) => {
  const publisher = recordingPublisher();
  const event = rabbitMQEvent(bodies.map((body, index) => ({ body, messageId: `m-${index}` })));
  await invoke(onBatch({ schema, publisher, log: silentLog }, handle), event, { timeoutMs });
  return publisher.published.map(({ messageId, exchange }) => [messageId, exchange]).sort();
};
const three = [{ n: 0 }, { n: 1 }, { n: 2 }];

describe('onBatch', () => {
  it('onBatch: the handler gets all messages at once, and without a result all are done', async () => {
    const calls: number[][] = [];
    const copies = await copiesOf(three, async (messages) => {
      calls.push(messages.map(({ body }) => body.n));
      return undefined;
    });
    expect([calls, copies]).toEqual([[[0, 1, 2]], []]);
  });

  it('onBatch: a message that cannot be decoded is dead-lettered, and does not reach the handler', async () => {
    const identifiers: string[] = [];
    const copies = await copiesOf([{ n: 0 }, Buffer.from('quit'), { n: 2 }], async (messages) => {
      identifiers.push(...messages.map(({ itemIdentifier }) => itemIdentifier));
      return undefined;
    });
    expect(identifiers).toEqual(['0', '2']);
    expect(copies).toEqual([['m-1', 'warren.dead']]);
  });

  it('onBatch: without a valid message the handler is not called', async () => {
    const copies = await copiesOf([Buffer.from('quit')], async () => Promise.reject(new Error('never')));
    expect(copies).toEqual([['m-0', 'warren.dead']]);
  });

  it('onBatch: the policy decides about each message in batchItemFailures, and the others are done', async () => {
    const copies = await copiesOf([...three, { n: 3 }], async ([zero, one, two]) => ({
      batchItemFailures: [
        { itemIdentifier: zero?.itemIdentifier ?? '' },
        { itemIdentifier: one?.itemIdentifier ?? '', error: new RejectedError('never') },
        { itemIdentifier: two?.itemIdentifier ?? '', error: new UnavailableError('db', 'away') },
      ],
    }));
    expect(copies).toEqual([
      ['m-0', 'warren.retry'],
      ['m-1', 'warren.dead'],
      ['m-2', 'warren.retry'],
    ]);
  });

  it('onBatch: an error, an unknown identifier or a late handler concerns all messages', async () => {
    const all = three.map((_, index) => [`m-${index}`, 'warren.retry']);
    expect(await copiesOf(three, async () => Promise.reject(new Error('a bug')))).toEqual(all);
    const unknown = { batchItemFailures: [{ itemIdentifier: 'm-0' }] };
    expect(await copiesOf(three, async () => unknown)).toEqual(all);
    expect(await copiesOf(three, () => new Promise(() => undefined), 200)).toEqual(all);
  });

  it('onBatch: a result without batchItemFailures, as handlers in JavaScript return, means that all are done', async () => {
    for (const result of [{ fresh: [] }, { batchItemFailures: null }, 3]) {
      expect(await copiesOf(three, (async () => result) as unknown as Handle)).toEqual([]);
    }
  });

  it('onBatch: each type of message has its schema', async () => {
    const publisher = recordingPublisher();
    const schemas = { a: z.object({ x: z.number() }), b: z.string() };
    const seen: unknown[] = [];
    const run = onBatch({ schemas, publisher, log: silentLog }, async (messages) => {
      for (const message of messages) seen.push(message.type === 'a' ? message.body.x : message.body.length);
    });
    await invoke(
      run,
      rabbitMQEvent([
        { body: { x: 7 }, type: 'a' },
        { body: 'four', type: 'b' },
      ]),
    );
    expect(seen).toEqual([7, 4]);
  });
});

describe('onBatch under an event source', () => {
  let broker: TestBroker;
  let publisher: Publisher;
  beforeAll(async () => {
    broker = await openBroker();
    publisher = new Publisher({ url: stack.AMQP_URL, name: unique('on-batch') });
  });
  afterAll(async () => {
    await publisher.close();
    await broker.close();
  });

  it('onBatch under an event source: one message is retried, one dead-lettered, and the others run once', async () => {
    const queue = await broker.queue();
    for (let n = 0; n < 6; n += 1) await broker.send(queue, { n }, { messageId: `m-${n}` });
    const runs: number[] = [];
    const handler = onBatch({ schema, publisher, log: silentLog }, async (messages) => {
      runs.push(...messages.map(({ body }) => body.n));
      const failed = messages.filter(({ body, attempt }) => body.n === 3 || (body.n === 4 && attempt === 1));
      return {
        batchItemFailures: failed.map(({ itemIdentifier, body }) => ({
          itemIdentifier,
          error: body.n === 3 ? new RejectedError('never') : new Error('once'),
        })),
      };
    });
    const mapping = { functionName: 'bulk', arn: 'arn', queue, vhost: '/', batchSize: 10, windowMs: 100 };
    const source = new EventSource({
      url: stack.AMQP_URL,
      mappings: [mapping],
      log: silentLog,
      invoke: () => inProcess({ functionName: 'bulk', timeoutMs: 15_000, load: async () => handler }),
    });
    await source.start();
    try {
      await expect.poll(() => runs.filter((n) => n === 4).length, { timeout: 15_000 }).toBe(2);
      expect([...runs].sort()).toEqual([0, 1, 2, 3, 4, 4, 5]);
      const [letter] = await dropLetters({ queue }, 1);
      expect(letter).toMatchObject({ id: 'm-3', reason: 'rejected', error: 'RejectedError: never' });
    } finally {
      await source.stop({ deadlineMs: 5000 });
    }
  });
});
