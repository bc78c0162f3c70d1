import { describe, expect, it } from 'vitest';
import type { Held } from '../../../../runtime/event-source/ordered/key-lanes.ts';
import { keyRoom } from '../../../../runtime/event-source/ordered/key-room.ts';
import { KeyShares } from '../../../../runtime/event-source/ordered/key-shares.ts';
import type { PerKey } from '../../../../runtime/topology/token-names.ts';

const window = 91;
const hand = (messages: number, bytes = 0) => ({ messages, bytes, maxMessages: window, maxBytes: 8000 });
const shares = (perKey: PerKey, activeSince = Number.NEGATIVE_INFINITY, handOf = () => hand(0)) => {
  const own = { onReady: () => undefined, activeSince: () => activeSince, handOf, partitions: () => 1 };
  return new KeyShares<string>({ ...perKey, ...own });
};
const held = (key: string | undefined, n: number, given: object = {}) =>
  ({
    key,
    bytes: 10,
    source: 'one',
    alone: false,
    running: false,
    delivery: { n },
    ...given,
  }) as unknown as Held<string>;
const named = (taken: readonly Held<string>[]) =>
  taken.map(({ key, delivery }) => `${key} ${(delivery as unknown as { n: number }).n}`);
const all = { size: 100, bytes: 1000 };

describe('the shares of keys', () => {
  it('perKey: the keys take turns, each up to its concurrency, and a message that is done makes room', () => {
    const lanes = shares({ concurrency: 2 });
    for (const n of [0, 1, 2, 3]) lanes.push(held('ann', n));
    for (const n of [0, 1]) lanes.push(held('bob', n));
    const taken = lanes.take(all);
    expect(named(taken)).toEqual(['ann 0', 'bob 0', 'ann 1', 'bob 1']);
    expect(lanes.take(all)).toEqual([]);
    lanes.done(taken[0] as Held<string>);
    expect(named(lanes.take(all))).toEqual(['ann 2']);
  });

  it('perKey: a call has as many messages and bytes as it may, and a suspect message is alone', () => {
    const lanes = shares({ concurrency: 10 });
    for (const n of [0, 1, 2, 3]) lanes.push(held('ann', n));
    expect(lanes.take({ size: 100, bytes: 25 })).toHaveLength(2);
    expect(lanes.take({ size: 1, bytes: 1000 })).toHaveLength(1);
    lanes.push(held('bob', 0, { alone: true }));
    expect(named(lanes.take(all))).toEqual(['ann 3']);
    expect(named(lanes.take(all))).toEqual(['bob 0']);
  });

  it('perKey: a key has as many messages in a period as its limit, and none in the first period of a partition', () => {
    const lanes = shares({ limit: { count: 2, periodMs: 60_000 } });
    for (const n of [0, 1, 2]) lanes.push(held('ann', n));
    lanes.push(held('bob', 0));
    expect(named(lanes.take(all))).toEqual(['ann 0', 'bob 0', 'ann 1']);
    expect(lanes.take(all)).toEqual([]);
    const fresh = shares({ limit: { count: 2, periodMs: 60_000 } }, performance.now());
    fresh.push(held('ann', 0));
    expect(fresh.take(all)).toEqual([]);
  });

  it('perKey: a message that is retried waits alone, and one that was not called is called before the others', () => {
    const lanes = shares({ concurrency: 1 });
    for (const n of [0, 1, 2]) lanes.push(held('ann', n));
    const [first] = lanes.take(all);
    lanes.delay(first as Held<string>, 60_000);
    expect(lanes.hasDelayed('one')).toBe(true);
    const [second] = lanes.take(all);
    expect(named([second as Held<string>])).toEqual(['ann 1']);
    lanes.delay(second as Held<string>, 0);
    expect(named(lanes.take(all))).toEqual(['ann 1']);
    lanes.drop('one');
    expect(lanes.hasDelayed('one')).toBe(false);
    expect(lanes.take(all)).toEqual([]);
  });

  it('perKey: a key is full when it has its share in hand, which is smaller with many keys', () => {
    const lanes = shares({ concurrency: 2 });
    expect(lanes.isFull(held('ann', 0))).toBe(false);
    for (let n = 0; n < 32; n += 1) lanes.push(held('ann', n));
    expect(lanes.isFull(held('ann', 0))).toBe(true);
    for (let n = 0; n < 15; n += 1) lanes.push(held(`key ${n}`, 0));
    for (let n = 1; n < 4; n += 1) {
      expect(lanes.isFull(held('key 0', n))).toBe(false);
      lanes.push(held('key 0', n));
    }
    expect(lanes.isFull(held('key 0', 0))).toBe(true);
    expect(keyRoom({ limit: { count: 3, periodMs: 60_000 } }, 1, hand(0))).toBe(3);
  });

  it('perKey: keys with more messages than their shares leave room for another one, also with a high concurrency', () => {
    let inHand = 0;
    const lanes = shares({ concurrency: 100 }, undefined, () => hand(inHand));
    const busy = Array.from({ length: 8 }, (_, n) => `busy ${n}`);
    for (let n = 0; n < window; n += 1)
      for (const key of busy) {
        if (lanes.isFull(held(key, n))) continue;
        lanes.push(held(key, n));
        inHand += 1;
      }
    expect(inHand).toBeLessThan(window - 2);
    expect(lanes.isFull(held('quiet', 0))).toBe(false);
  });

  it('perKey: large messages in hand leave room for fewer, and none above the memory', () => {
    const room = (messages: number, bytes: number) => keyRoom({ concurrency: 2 }, 2, hand(messages, bytes));
    expect(room(20, 200)).toBe(31);
    expect(room(20, 4000)).toBe(14);
    let now = hand(9, 7900);
    const lanes = shares({ concurrency: 2 }, undefined, () => now);
    expect(lanes.isFull(held('ann', 0, { bytes: 100 }))).toBe(false);
    expect(lanes.isFull(held('ann', 0, { bytes: 101 }))).toBe(true);
    now = hand(0);
    expect(lanes.isFull(held('ann', 0, { bytes: 9000 }))).toBe(false);
  });

  it('perKey: keys that came first give up what exceeds their shares when others come', () => {
    let inHand = 0;
    const lanes = shares({ concurrency: 1 }, undefined, () => hand(inHand));
    const add = (key: string) => {
      if (lanes.isFull(held(key, 0))) return false;
      lanes.push(held(key, inHand));
      inHand += 1;
      if (lanes.takeSurplus('one', () => true)) inHand -= 1;
      return true;
    };
    for (const key of Array.from({ length: 12 }, (_, n) => `busy ${n}`))
      for (let n = 0; n < window; n += 1) add(key);
    expect(Array.from({ length: 4 }, () => add('quiet'))).toEqual([true, true, true, true]);
    expect(inHand).toBeLessThan(window);
    expect(lanes.takeSurplus('one', () => false)).toBeUndefined();
  });

  it('perKey: a message that was aside and came back does not keep those before it in hand', () => {
    const lanes = shares({ concurrency: 1 }, undefined, () => hand(window - 1));
    for (let n = 0; n < 40; n += 1) lanes.push(held('ann', n));
    const returned = held('ann', 40);
    lanes.push(returned);
    const mayLeave = (each: Held<string>) => each !== returned;
    const left = [1, 2].map(() => lanes.takeSurplus('one', mayLeave) as Held<string>);
    expect(named(left)).toEqual(['ann 39', 'ann 38']);
    expect(named(lanes.take(all))).toEqual(['ann 0']);
  });

  it('perKey: a window that is almost full has no room for another key, because the worker has to read on', () => {
    const lanes = shares({ concurrency: 1 }, undefined, () => hand(window - 1));
    expect(lanes.isFull(held('ann', 0))).toBe(true);
  });

  it('perKey: whether messages wait for the limits of their keys is known', () => {
    const lanes = shares({ concurrency: 1 });
    expect([lanes.take(all), lanes.isLimited]).toEqual([[], false]);
    lanes.push(held('ann', 0));
    lanes.push(held('ann', 1));
    const [first] = lanes.take(all);
    expect(lanes.isLimited).toBe(false);
    expect([lanes.take(all), lanes.isLimited]).toEqual([[], true]);
    lanes.done(first as Held<string>);
    expect(named(lanes.take(all))).toEqual(['ann 1']);
    expect(lanes.isLimited).toBe(false);
  });
});
