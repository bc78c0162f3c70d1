import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Batch, Deliveries } from '../../../runtime/event-source/delivery-buffer.ts';
import { encodedSize } from '../../../runtime/event-source/encoded-size.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { delivery } from '../../support/broker.ts';

/** A window so long that a test which waits for it runs out of time. */
const never = 3_600_000;
const limits = { size: 3, windowMs: never, bytes: 6_000_000 };

const filled = (...contents: string[]): Deliveries => {
  const deliveries = new Deliveries();
  for (const content of contents) deliveries.push(delivery(content));
  return deliveries;
};
const texts = (batch: Batch | undefined) => batch?.deliveries.map(({ content }) => content.toString());

afterEach(() => void vi.useRealTimers());

describe('a batch', () => {
  it('a full batch is taken at once, in the order of arrival', async () => {
    const deliveries = filled('a', 'b', 'c', 'd');
    expect(texts(await deliveries.take(limits))).toEqual(['a', 'b', 'c']);
    deliveries.end();
    expect(texts(await deliveries.take(limits))).toEqual(['d']);
  });

  it('a batch is taken as soon as a message fills it', async () => {
    const deliveries = filled('a', 'b');
    const taken = deliveries.take(limits);
    deliveries.push(delivery('c'));
    expect(texts(await taken)).toEqual(['a', 'b', 'c']);
  });

  it('a batch that is not full is taken when its window closes', async () => {
    expect(texts(await filled('a', 'b').take({ ...limits, windowMs: 20 }))).toEqual(['a', 'b']);
  });

  it('a batch includes messages that arrive while its window is open', async () => {
    const deliveries = filled('a');
    const taken = deliveries.take({ ...limits, windowMs: 200 });
    deliveries.push(delivery('b'));
    expect(texts(await taken)).toEqual(['a', 'b']);
  });

  it('a batch is taken at once if there is no window', async () => {
    expect(texts(await filled('a').take({ ...limits, windowMs: 0 }))).toEqual(['a']);
  });

  it('the window of a batch opens at its first message', async () => {
    const deliveries = new Deliveries();
    const taken = deliveries.take({ ...limits, windowMs: 0 });
    let settled = false;
    taken.then(() => {
      settled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    deliveries.push(delivery('a'));
    expect(texts(await taken)).toEqual(['a']);
  });

  it('a batch does not wait for a window that closed before it was taken', async () => {
    vi.useFakeTimers();
    const deliveries = filled('a', 'b');
    vi.advanceTimersByTime(1000);
    expect(texts(await deliveries.take({ ...limits, windowMs: 1000 }))).toEqual(['a', 'b']);
  });

  it('a batch is full before it has more bytes than one call can take', async () => {
    const deliveries = filled('x'.repeat(3000), 'y'.repeat(3000), 'z');
    const one = encodedSize(delivery('x'.repeat(3000)));
    expect(texts(await deliveries.take({ ...limits, bytes: one * 2 - 1 }))).toHaveLength(1);
    expect(texts(await deliveries.take({ ...limits, windowMs: 0 }))).toHaveLength(2);
  });

  it('a message above the byte limit is a batch of its own', async () => {
    const deliveries = filled('x'.repeat(3000), 'y');
    const batch = await deliveries.take({ ...limits, bytes: 10 });
    expect(texts(batch)).toEqual(['x'.repeat(3000)]);
  });

  it('a redelivered message is a batch of its own, at any position', async () => {
    const deliveries = new Deliveries();
    for (const [content, redelivered] of [
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', false],
    ] as const) {
      deliveries.push(delivery(content, { fields: { redelivered } }));
    }
    deliveries.end();
    const batches = [];
    for (let batch = await deliveries.take(limits); batch; batch = await deliveries.take(limits)) {
      batches.push(texts(batch));
    }
    expect(batches).toEqual([['a'], ['b'], ['c'], ['d']]);
  });
});

describe('the end of deliveries', () => {
  it('after the end, take returns the rest and then undefined', async () => {
    const deliveries = filled('a');
    deliveries.end();
    expect(texts(await deliveries.take(limits))).toEqual(['a']);
    expect(await deliveries.take(limits)).toBeUndefined();
  });

  it('the end closes an open window', async () => {
    const deliveries = filled('a');
    const taken = deliveries.take(limits);
    deliveries.end();
    expect(texts(await taken)).toEqual(['a']);
  });

  it('the first message wakes a waiting take', async () => {
    const deliveries = new Deliveries();
    const taken = deliveries.take(limits);
    deliveries.end();
    expect(await taken).toBeUndefined();
  });

  it('after the end, no delivery is added', async () => {
    const deliveries = new Deliveries();
    deliveries.end();
    deliveries.push(delivery('late'));
    expect(await deliveries.take(limits)).toBeUndefined();
  });
});

describe('deliveries that were cleared', () => {
  it('after clear, take returns undefined, even if a window is open', async () => {
    const deliveries = filled('a');
    const taken = deliveries.take(limits);
    deliveries.clear();
    expect(await taken).toBeUndefined();
    expect(await deliveries.take(limits)).toBeUndefined();
  });
});

describe('encodedSize', () => {
  it('encodedSize is at least the size of the event with the longest names that AMQP allows', () => {
    const text = 'x'.repeat(255);
    const one = delivery('{}', {
      fields: { exchange: text, routingKey: text },
      properties: {
        contentType: text,
        contentEncoding: text,
        correlationId: text,
        replyTo: text,
        expiration: '86400000',
        messageId: text,
        type: text,
        userId: text,
        appId: text,
        clusterId: text,
        timestamp: 1_700_000_000,
      },
    });
    const event = toEvent({ arn: '', queue: '', vhost: '' }, [one]);
    expect(encodedSize(one)).toBeGreaterThanOrEqual(JSON.stringify(event).length - 100);
  });

  it.each([
    ['a small body', '{}', {}],
    ['a large body', 'x'.repeat(100_000), {}],
    ['text headers of multi-byte characters', '{}', { city: 'ü'.repeat(5000) }],
    ['deep headers', '{}', { a: [{ b: ['x'.repeat(100), 1, null, true] }], n: 1.123_456_789 }],
  ])('encodedSize is at least the size of the event with %s', (_what, content, headers) => {
    const one = delivery(content, { properties: { headers } });
    const event = toEvent({ arn: '', queue: '', vhost: '' }, [one]);
    expect(encodedSize(one)).toBeGreaterThanOrEqual(JSON.stringify(event).length - 100);
  });
});
