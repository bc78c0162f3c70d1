import { describe, expect, it, vi } from 'vitest';
import { KeyLanes } from '../../../../runtime/event-source/ordered/key-lanes.ts';
import type { Held } from '../../../../runtime/event-source/ordered/lanes.ts';
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

  const behind = { ...limits, least: 1 };
  const any = () => true;

  it('lanes: a call that follows another one has the next message of each of its keys, and others that are ready', () => {
    const lanes = new KeyLanes<string>(() => undefined);
    for (const name of ['a0', 'a1', 'a2', 'b0', 'b1', 'c0']) lanes.push(held(name, name[0]));
    const first = lanes.take({ size: 2, bytes: 1000 });
    expect(names(first)).toEqual(['a0', 'b0']);
    expect(lanes.takeBehind(first, { ...behind, least: 4 }, any)).toEqual([]);
    expect(names(lanes.takeBehind(first, { ...behind, size: 1 }, any))).toEqual(['c0']);
    const second = lanes.takeBehind(
      first,
      behind,
      ({ delivery: { content } }) => content.toString() !== 'b1',
    );
    expect(names(second)).toEqual(['a1']);
    expect(names(lanes.takeBehind(second, behind, any))).toEqual(['a2']);
    expect(lanes.take(limits)).toEqual([]);
    for (const each of first) lanes.done(each);
    expect(names(lanes.take(limits))).toEqual(['b1']);
  });

  it('lanes: messages whose call did not begin wait for those before them', () => {
    vi.useFakeTimers();
    try {
      const lanes = new KeyLanes<string>(() => undefined);
      for (const name of ['a0', 'a1', 'b0', 'b1']) lanes.push(held(name, name[0]));
      const first = lanes.take(limits) as [Held<string>, Held<string>];
      const second = lanes.takeBehind(first, behind, any);
      expect(names(second)).toEqual(['a1', 'b1']);
      lanes.delay(first[0], 1000);
      lanes.done(first[1]);
      expect(lanes.takeBehind(first, behind, any)).toEqual([]);
      for (const each of second) lanes.delay(each, 0);
      expect(names(lanes.take(limits))).toEqual(['b1']);
      vi.advanceTimersByTime(1000);
      expect(names(lanes.take(limits))).toEqual(['a0']);
      lanes.done(first[0]);
      expect(names(lanes.take(limits))).toEqual(['a1']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('lanes: a key is not ready while a message behind the first one is taken', () => {
    const lanes = new KeyLanes<string>(() => undefined);
    for (const name of ['a0', 'a1', 'a2']) lanes.push(held(name, name[0]));
    const first = lanes.take(limits);
    const second = lanes.takeBehind(first, behind, any);
    for (const each of first) lanes.delay(each, 0);
    expect(lanes.ready).toBe(0);
    for (const each of second) lanes.done(each);
    expect(names(lanes.take(limits))).toEqual(['a0']);
    lanes.drop('first');
    for (const each of first) lanes.done(each);
    expect(lanes.take(limits)).toEqual([]);
  });
});
