import { expect, it } from 'vitest';
import type { Held } from '../../../../runtime/event-source/ordered/key-lanes.ts';
import { Surplus } from '../../../../runtime/event-source/ordered/surplus.ts';

const held = (key: string, n: number, since = 0) =>
  ({ key, since, bytes: 10, delivery: { n } }) as unknown as Held<string>;
const hand = (messages: number, bytes = 0) => ({ messages, bytes, maxMessages: 1000, maxBytes: 20_000 });
const named = (each: Held<string> | undefined) =>
  each && `${each.key} ${(each.delivery as never as { n: number }).n}`;
const alone = { wait: () => false, hasMemory: () => false };
const full = (others = alone) => {
  const surplus = new Surplus<string>(others);
  for (let n = 0; n < 700; n += 1) surplus.add(held('ann', n));
  return surplus;
};

it('surplus: the oldest messages are moved aside as soon as fewer than 256 may be on their way', () => {
  const surplus = full();
  expect(surplus.takeExcess(hand(44), 0)).toBeUndefined();
  expect(named(surplus.takeExcess(hand(46), 0))).toBe('ann 0');
  expect(named(surplus.takeExcess(hand(46), 0))).toBe('ann 1');
  expect(surplus.takeExcess(hand(46), 0)).toBeUndefined();
});

it('surplus: while another partition has messages in hand, no more are moved aside than leave 16 on their way', () => {
  let othersWait = true;
  const surplus = full({ ...alone, wait: () => othersWait });
  expect(surplus.takeExcess(hand(284), 0)).toBeUndefined();
  expect(named(surplus.takeExcess(hand(285), 0))).toBe('ann 0');
  expect(surplus.takeExcess(hand(285), 0)).toBeUndefined();
  othersWait = false;
  expect(named(surplus.takeExcess(hand(285), 0))).toBe('ann 1');
});

it('surplus: messages that do not fit into the memory, or have waited for a minute, are moved aside', () => {
  const surplus = full();
  expect(surplus.takeExcess(hand(1, 13_000), 0)).toBeUndefined();
  expect(named(surplus.takeExcess(hand(1, 13_001), 0))).toBe('ann 0');
  expect(surplus.takeExcess(hand(1), 59_999)).toBeUndefined();
  expect(named(surplus.takeExcess(hand(1), 60_000))).toBe('ann 1');
});

it('surplus: messages that do not fit into the memory of their partition stay while the others need less of theirs', () => {
  let hasMemory = true;
  const surplus = full({ ...alone, hasMemory: () => hasMemory });
  expect(surplus.takeExcess(hand(1, 13_001), 0)).toBeUndefined();
  hasMemory = false;
  expect(named(surplus.takeExcess(hand(1, 13_001), 0))).toBe('ann 0');
});

it('surplus: each key has its messages in their order, and a message that was taken out is not moved aside', () => {
  const surplus = new Surplus<string>(alone);
  const all = [held('ann', 0), held('bob', 1), held('ann', 2)];
  for (const each of all) surplus.add(each);
  expect(named(surplus.firstOf('ann'))).toBe('ann 0');
  surplus.remove(all[0] as Held<string>);
  expect([surplus.firstOf('ann'), surplus.firstOf('bob')].map(named)).toEqual(['ann 2', 'bob 1']);
  expect(named(surplus.takeExcess(hand(1000), 0))).toBe('bob 1');
  expect(surplus.firstOf('bob')).toBeUndefined();
  surplus.clear();
  expect([surplus.firstOf('ann'), surplus.takeExcess(hand(1000), 0)]).toEqual([undefined, undefined]);
});
