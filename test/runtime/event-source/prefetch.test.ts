import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { heldBytes, warnOfSmallBatches } from '../../../runtime/event-source/held-bytes.ts';
import { Prefetch } from '../../../runtime/event-source/prefetch.ts';

const maxBytes = 64_000_000;

/** A function's calls with full batches. */
const call = (prefetch: Prefetch, ms: number, bytes = 100, redelivered = false): boolean => {
  const messages = prefetch.batchSize;
  return prefetch.succeeded({ messages, ms: ms * messages, bytes: bytes * messages, redelivered });
};
const learned = (batchSize: number, calls: number, ms: number, bytes = 100, concurrency = 1) => {
  const prefetch = new Prefetch({ batchSize, concurrency, maxBytes: maxBytes / concurrency });
  for (let n = 0; n < calls; n += 1) call(prefetch, ms, bytes);
  return prefetch;
};

describe('prefetch', () => {
  it('the prefetch starts with one message and doubles with each full batch, whatever the batch size', () => {
    for (const batchSize of [100, 10_000]) {
      const values = [0, 1, 2, 3, 7].map((calls) => learned(batchSize, calls, 1).value);
      expect(values).toEqual([1, 2, 4, 8, 128]);
    }
    expect(learned(100, 2, 1).batchSize).toBe(4);
  });

  it('the prefetch does not grow while batches do not fill, because a new subscription would not pay', () => {
    const prefetch = learned(10, 4, 1);
    expect(prefetch.value).toBe(16);
    const changes = Array.from({ length: 100 }, () =>
      prefetch.succeeded({ messages: 3, ms: 3, bytes: 300, redelivered: false }),
    );
    expect(changes.filter(Boolean)).toEqual([]);
    expect(prefetch.value).toBe(16);
  });

  it('the prefetch does not grow by redelivered messages', () => {
    const prefetch = new Prefetch({ batchSize: 10, maxBytes });
    for (let n = 0; n < 50; n += 1) expect(call(prefetch, 1, 100, true)).toBe(false);
    expect(prefetch.value).toBe(1);
  });

  it('the prefetch grows for a fast function, up to a limit', () => {
    // The last step would be too small for a new subscription.
    expect(learned(1, 20, 0.1).value).toBe(512);
    expect(learned(1, 20, 25).value).toBeGreaterThanOrEqual(8);
    expect(learned(1, 20, 25).value).toBeLessThanOrEqual(10);
    expect(learned(100, 20, 0.1).value).toBe(512);
  });

  it('the prefetch stays at two batches for a slow function, so that other workers get messages too', () => {
    expect(learned(1, 100, 2000).value).toBe(2);
    expect(learned(10, 100, 5000).value).toBeLessThanOrEqual(20);
  });

  it('the prefetch shrinks when a fast function becomes slow', () => {
    const prefetch = learned(1, 20, 0.1);
    const changes = Array.from({ length: 100 }, () => call(prefetch, 1000)).filter(Boolean);
    expect(prefetch.value).toBe(2);
    expect(changes.length).toBeLessThanOrEqual(4);
  });

  it('the prefetch does not change for small variations', () => {
    const prefetch = learned(1, 20, 5);
    const changes = Array.from({ length: 200 }, (_, n) => call(prefetch, n % 2 ? 4 : 6)).filter(Boolean);
    expect(changes.length).toBeLessThanOrEqual(1);
  });

  it('concurrent consumers share the prefetch and the limit for bytes', () => {
    expect(learned(1, 20, 0.1).value).toBe(512);
    expect(learned(1, 20, 0.1, 100, 20).value).toBeLessThanOrEqual(30);
    expect(learned(10, 20, 0.1, 4_000_000, 4).value).toBe(4);
  });

  it('the prefetch is the number of messages that fit into 64 MB, and at least one', () => {
    expect(learned(100, 20, 1, 4_000_000).value).toBe(16);
    expect(learned(1, 20, 0.1, 1_000_000).value).toBe(64);
    expect(learned(10, 20, 1, 100_000_000).value).toBe(1);
  });

  it('the prefetch shrinks at once when large messages arrive, and grows again afterwards', () => {
    const prefetch = learned(1, 20, 0.1);
    expect(call(prefetch, 0.1, 20_000_000)).toBe(true);
    expect(prefetch.value).toBe(3);
    for (let n = 0; n < 100; n += 1) call(prefetch, 0.1);
    expect(prefetch.value).toBeGreaterThan(200);
  });

  it('a fixed prefetch never changes, and always fits', () => {
    const prefetch = new Prefetch({ batchSize: 100, maxBytes, fixedFor: 1_000_000 });
    expect(prefetch.value).toBe(64);
    for (let n = 0; n < 100; n += 1) expect(call(prefetch, 0.1, 20_000_000)).toBe(false);
    expect(prefetch.value).toBe(64);
    expect(new Prefetch({ batchSize: 3, maxBytes, fixedFor: 1000 }).value).toBe(6);
  });

  it.each([
    [1, 10, 1_048_576, []],
    [24, 10, 1_048_576, [1]],
    [24, 10, 100_000, []],
    [1, 100, 1_048_576, [45]],
  ])(
    'one of %d queues with a single active consumer, batches of %d and messages of %d bytes in 256 MiB warns if its batches are smaller',
    (queues, batchSize, maxMessageBytes, expected) => {
      const warned: unknown[] = [];
      const log = { ...silentLog, warn: (fields: { fitting?: number }) => void warned.push(fields.fitting) };
      const mapping = { functionName: 'f', queue: 'q', vhost: '/', arn: 'a', windowMs: 0 };
      const held = heldBytes(queues, 1, 256 * 1024 ** 2);
      const limits = { batchSize, maxMessageBytes };
      warnOfSmallBatches(log, { ...mapping, ...limits, singleActiveConsumer: true }, held);
      expect(warned).toEqual(expected);
      warnOfSmallBatches(log, { ...mapping, ...limits }, held);
      expect(warned).toEqual(expected);
    },
  );

  it.each([
    ['1 queue in 2 GiB', 1, 1, 2048, { waiting: 64_000_000, event: 6_000_000 }],
    ['1 queue with 4 calls at a time in 2 GiB', 4, 4, 2048, { waiting: 16_000_000, event: 6_000_000 }],
    ['3 queues in 768 MiB', 3, 1, 768, { waiting: 64_000_000, event: 6_000_000 }],
    ['12 queues in 256 MiB', 12, 1, 256, { waiting: 5_592_405, event: 1_398_101 }],
  ])(
    'a process with %s holds at most a quarter of its memory in messages',
    (_what, subscriptions, concurrency, mib, limits) => {
      expect(heldBytes(subscriptions, concurrency, mib * 1024 ** 2)).toEqual(limits);
    },
  );
});
