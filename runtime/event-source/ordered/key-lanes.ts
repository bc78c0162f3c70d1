import type { ConsumeMessage } from 'amqplib';
import type { KeyCounts } from './key-counts.ts';

/** A message in hand, and the subscription that it came from. */
export interface Held<Source = unknown> {
  delivery: ConsumeMessage;
  source: Source;
  /** Undefined if the message has no order. */
  key: string | undefined;
  /** Bytes of its event. */
  bytes: number;
  /** When it arrived, by `performance.now`. */
  since: number;
  /** Whether it has a call of its own, because it may harm its neighbors. */
  alone: boolean;
  /** Whether it was taken, and is not back yet. */
  running: boolean;
}

/** When a batch is full. */
export interface LaneLimits {
  /** Messages. */
  size: number;
  /** Bytes of the encoded event. */
  bytes: number;
}

/** The messages in hand, and which of them are ready. */
export interface Lanes<Source = unknown> {
  /** Adds a message behind those of its key. */
  push(held: Held<Source>): void;
  /** Takes a batch of messages that are ready; empty if there are none. */
  take(limits: LaneLimits): Held<Source>[];
  /** A message is settled. */
  done(held: Held<Source>): void;
  /** A message is ready again after some milliseconds. */
  delay(held: Held<Source>, ms: number): void;
  /** Whether messages of a subscription are delayed. */
  hasDelayed(source: Source): boolean;
  /** Counts the keys with messages of a subscription. */
  keysOf(source: Source): KeyCounts;
  /** Forgets the messages of a subscription, except those that were taken. */
  drop(source: Source): void;
  /** Whether a message has to wait aside, so that other keys have room; never if it is missing. */
  isFull?(held: Held<Source>): boolean;
  /**
   * Takes out a message of the key that exceeds its share most, so that other keys have room; undefined if there is enough. A message that
   * was retried is not among them.
   *
   * @param mayLeave whether a message may wait aside.
   */
  takeSurplus?(source: Source, mayLeave: (held: Held<Source>) => boolean): Held<Source> | undefined;
  /** Number of messages that are ready, if it is known without a try. */
  readonly ready?: number;
  /** Whether no message was ready at the last `take`, although some wait: for the limits of their keys. */
  readonly isLimited?: boolean;
}

/**
 * The messages in hand, in a lane for each key. Only the first message of a lane is ready; the next one follows when that is done. A
 * message without a key has no lane, and is ready at once.
 */
export class KeyLanes<Source> implements Lanes<Source> {
  readonly #lanes = new Map<string, Held<Source>[]>();
  /** In the order in which they became ready. */
  readonly #ready = new Set<Held<Source>>();
  readonly #delayed = new Map<Held<Source>, NodeJS.Timeout>();
  readonly #onReady: () => void;

  /** @param onReady called when a delay of `delay` is over. */
  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  get ready(): number {
    return this.#ready.size;
  }

  /** Adds a message behind those of its key. */
  push(held: Held<Source>): void {
    const lane = held.key === undefined ? undefined : this.#lanes.get(held.key);
    if (lane) {
      lane.push(held);
      return;
    }
    if (held.key !== undefined) this.#lanes.set(held.key, [held]);
    this.#ready.add(held);
  }

  /** Takes a batch of messages that are ready, at most one of each key; empty if there are none. */
  take({ size, bytes }: LaneLimits): Held<Source>[] {
    const taken: Held<Source>[] = [];
    let sum = 0;
    for (const held of this.#ready) {
      sum += held.bytes;
      if (taken.length > 0 && (held.alone || sum > bytes)) break;
      this.#ready.delete(held);
      held.running = true;
      taken.push(held);
      if (held.alone || taken.length >= size) break;
    }
    return taken;
  }

  /** A message is settled, and the next one of its key is ready. */
  done(held: Held<Source>): void {
    held.running = false;
    if (held.key === undefined) return;
    const lane = this.#lanes.get(held.key);
    if (lane?.[0] !== held) return;
    lane.shift();
    const [next] = lane;
    if (next) this.#ready.add(next);
    else this.#lanes.delete(held.key);
  }

  /** A message is ready again after some milliseconds, and its key waits until then. */
  delay(held: Held<Source>, ms: number): void {
    held.running = false;
    if (ms <= 0) {
      this.#ready.add(held);
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(held);
      this.#ready.add(held);
      this.#onReady();
    }, ms);
    this.#delayed.set(held, timer);
  }

  /** Whether messages of a subscription are delayed. */
  hasDelayed(source: Source): boolean {
    for (const held of this.#delayed.keys()) if (held.source === source) return true;
    return false;
  }

  keysOf(source: Source): KeyCounts {
    const counts = { running: 0, waiting: 0, retrying: 0 };
    for (const [first] of this.#lanes.values()) {
      if (first?.source !== source) continue;
      counts[first.running ? 'running' : this.#delayed.has(first) ? 'retrying' : 'waiting'] += 1;
    }
    return counts;
  }

  /** Forgets the messages of a subscription, except those that were taken: their keys wait until these are done. */
  drop(source: Source): void {
    const isLeft = (held: Held<Source>) => held.source !== source || held.running;
    for (const held of this.#ready) if (!isLeft(held)) this.#ready.delete(held);
    for (const [held, timer] of this.#delayed) {
      if (isLeft(held)) continue;
      clearTimeout(timer);
      this.#delayed.delete(held);
    }
    for (const [key, lane] of this.#lanes) {
      const left = lane.filter(isLeft);
      if (left.length === lane.length) continue;
      const [first] = left;
      if (!first) this.#lanes.delete(key);
      else {
        this.#lanes.set(key, left);
        if (first !== lane[0]) this.#ready.add(first);
      }
    }
  }
}
