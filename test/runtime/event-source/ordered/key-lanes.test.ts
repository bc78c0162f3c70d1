import { describe, expect, it, vi } from 'vitest';
import { type Held, KeyLanes } from '../../../../runtime/event-source/ordered/key-lanes.ts';
import { delivery } from '../../../support/broker.ts';

const held = (name: string, key: string | undefined, given: Partial<Held<string>> = {}): Held<string> => ({
  delivery: delivery(name),
  source: 'first',
  key,
  bytes: 100,
  since: 0,
  alone: false,
  running: false,
  ...given,
});
const limits = { size: 10, bytes: 1000 };
const names = (taken: readonly Held<string>[]) =>
  taken.map(({ delivery: { content } }) => content.toString());

describe('KeyLanes', () => {
  it('lanes: a batch has one message of each key, and the next one follows when that is done', () => {
    const lanes = new KeyLanes<string>(() => undefined);
    const messages = [held('a0', 'a'), held('a1', 'a'), held('b0', 'b'), held('none', undefined)];
    for (const each of messages) lanes.push(each);
    expect(lanes.ready).toBe(3);
    const taken = lanes.take(limits);
    expect(names(taken)).toEqual(['a0', 'b0', 'none']);
    expect(lanes.ready).toBe(0);
    expect(lanes.take(limits)).toEqual([]);
    for (const each of taken) lanes.done(each);
    expect(names(lanes.take(limits))).toEqual(['a1']);
  });

  it('lanes: a batch ends at its limits, and a suspect message is a batch of its own', () => {
    const lanes = new KeyLanes<string>(() => undefined);
    for (const name of ['a', 'b', 'c']) lanes.push(held(name, name));
    lanes.push(held('suspect', 's', { alone: true }));
    lanes.push(held('large', 'l', { bytes: 2000 }));
    expect(names(lanes.take({ size: 2, bytes: 1000 }))).toEqual(['a', 'b']);
    expect(names(lanes.take(limits))).toEqual(['c']);
    expect(names(lanes.take(limits))).toEqual(['suspect']);
    expect(names(lanes.take(limits))).toEqual(['large']);
  });

  it('lanes: a key waits for its delayed message, and others do not', () => {
    vi.useFakeTimers();
    try {
      const ready = vi.fn();
      const lanes = new KeyLanes<string>(ready);
      lanes.push(held('a0', 'a'));
      lanes.push(held('a1', 'a'));
      const [first] = lanes.take(limits) as [Held<string>];
      lanes.delay(first, 1000);
      expect(lanes.hasDelayed('first')).toBe(true);
      lanes.push(held('b0', 'b'));
      expect(names(lanes.take(limits))).toEqual(['b0']);
      expect(lanes.keysOf('first')).toEqual({ running: 1, waiting: 0, retrying: 1 });
      expect(lanes.keysOf('second')).toEqual({ running: 0, waiting: 0, retrying: 0 });
      vi.advanceTimersByTime(1000);
      expect(ready).toHaveBeenCalledOnce();
      expect(names(lanes.take(limits))).toEqual(['a0']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('lanes: a message that comes again from the next subscription waits for the call of its key in flight', () => {
    const lanes = new KeyLanes<string>(() => undefined);
    lanes.push(held('a0', 'a'));
    lanes.push(held('a1', 'a'));
    lanes.push(held('b0', 'b'));
    const [running] = lanes.take({ size: 1, bytes: 1000 }) as [Held<string>];
    lanes.drop('first');
    lanes.push(held('a0 again', 'a', { source: 'second' }));
    lanes.push(held('b0 again', 'b', { source: 'second' }));
    expect(names(lanes.take(limits))).toEqual(['b0 again']);
    lanes.done(running);
    expect(names(lanes.take(limits))).toEqual(['a0 again']);
  });
});
