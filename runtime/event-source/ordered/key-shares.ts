import type { PerKey } from '../../topology/token-names.ts';
import { countKeys, type KeyCounts } from './key-counts.ts';
import { countOf, type Key, takeSurplus } from './key-hand.ts';
import type { Held, LaneLimits, Lanes } from './key-lanes.ts';
import { type Hand, isClosed, isCrowded, keyRoom, maxHeld } from './key-room.ts';

export interface KeySharesOptions<Source> extends PerKey {
  /** Called when messages are ready that were not. */
  onReady: () => void;
  /** When the broker began to feed a subscription, by `performance.now`. */
  activeSince: (source: Source) => number;
  /** The messages of a subscription in hand. The keys divide what it may have, so that none waits for the others. */
  handOf: (source: Source) => Hand;
  /** Number of partitions that feed this worker. The keys are divided among them. */
  partitions: () => number;
}

/**
 * The messages in hand with limits for each key. The keys take turns. A message that is retried waits alone, and the others of its key go
 * on. Messages without a key share one.
 */
export class KeyShares<Source> implements Lanes<Source> {
  readonly #options: KeySharesOptions<Source>;
  readonly #keys = new Map<string | undefined, Key<Source>>();
  readonly #delayed = new Map<Held<Source>, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #isLimited = false;

  constructor(options: KeySharesOptions<Source>) {
    this.#options = options;
  }

  get isLimited(): boolean {
    return this.#isLimited;
  }

  push(held: Held<Source>): void {
    const key = Object.assign(this.#keyOf(held), { source: held.source });
    key.waiting.push(held);
  }

  /** Takes turns: a message of each key, then another one of each, as their limits allow. */
  take({ size, bytes }: LaneLimits): Held<Source>[] {
    const taken: Held<Source>[] = [];
    const now = performance.now();
    let sum = 0;
    let nextAt = Number.POSITIVE_INFINITY;
    this.#isLimited = false;
    // A key that has its turn goes behind the others, and comes again in this loop.
    for (const [name, key] of this.#keys) {
      const [held] = key.waiting;
      this.#isLimited ||= held !== undefined;
      if (!held || key.running >= (this.#options.concurrency ?? Number.POSITIVE_INFINITY)) continue;
      const at = this.#allowedAt(key, held.source);
      if (at > now) nextAt = Math.min(nextAt, at);
      if (at > now || (taken.length > 0 && (held.alone || sum + held.bytes > bytes))) continue;
      key.waiting.shift();
      this.#note(key, now);
      held.running = true;
      key.running += 1;
      sum += held.bytes;
      taken.push(held);
      this.#keys.delete(name);
      this.#keys.set(name, key);
      if (held.alone || taken.length >= size) break;
    }
    if (taken.length === 0) this.#wakeAt(nextAt);
    else this.#isLimited = false;
    return taken;
  }

  done(held: Held<Source>): void {
    const key = this.#keyOf(held);
    if (held.running) key.running -= 1;
    held.running = false;
    this.#forget(held.key, key);
  }

  delay(held: Held<Source>, ms: number): void {
    const key = this.#keyOf(held);
    if (held.running) key.running -= 1;
    held.running = false;
    if (ms <= 0) {
      key.waiting.unshift(held);
      return;
    }
    key.delayed += 1;
    const timer = setTimeout(() => {
      this.#delayed.delete(held);
      key.delayed -= 1;
      key.waiting.unshift(held);
      this.#options.onReady();
    }, ms);
    this.#delayed.set(held, timer);
  }

  hasDelayed(source: Source): boolean {
    return [...this.#delayed.keys()].some((held) => held.source === source);
  }

  keysOf(source: Source): KeyCounts {
    return countKeys([...this.#keys.values()].filter((key) => key.source === source));
  }

  drop(source: Source): void {
    for (const [held, timer] of this.#delayed) {
      if (held.source !== source) continue;
      clearTimeout(timer);
      this.#delayed.delete(held);
      this.#keyOf(held).delayed -= 1;
    }
    for (const [name, key] of this.#keys) {
      key.waiting = key.waiting.filter((held) => held.source !== source);
      this.#forget(name, key);
    }
  }

  isFull({ key: name, source, bytes }: Held<Source>): boolean {
    const hand = this.#options.handOf(source);
    if (isClosed(hand, bytes)) return true;
    const key = this.#keys.get(name);
    return key !== undefined && (countOf(key) >= maxHeld || countOf(key) >= this.#roomIn(hand));
  }

  takeSurplus(source: Source, mayLeave: (held: Held<Source>) => boolean): Held<Source> | undefined {
    const hand = this.#options.handOf(source);
    if (!isCrowded(hand)) return undefined;
    const may = (held: Held<Source>) => held.source === source && !held.alone && mayLeave(held);
    return takeSurplus(this.#keys.values(), this.#roomIn(hand), may);
  }

  #roomIn(hand: Hand): number {
    const partitions = Math.max(1, this.#options.partitions());
    return keyRoom(this.#options, Math.ceil(this.#keys.size / partitions), hand);
  }

  #keyOf({ key: name, source }: Held<Source>): Key<Source> {
    const known = this.#keys.get(name);
    const key = known ?? { source, waiting: [], delayed: 0, running: 0, taken: [] };
    if (!known) this.#keys.set(name, key);
    return key;
  }

  /** When a key may have its next message by its limit. The worker before this one may have used all of it until the end. */
  #allowedAt({ taken }: Key<Source>, source: Source): number {
    const { limit, activeSince } = this.#options;
    if (!limit) return 0;
    const oldest = taken.length < limit.count ? Number.NEGATIVE_INFINITY : (taken[0] as number);
    return Math.max(oldest, activeSince(source)) + limit.periodMs;
  }

  #note({ taken }: Key<Source>, now: number): void {
    const { limit } = this.#options;
    if (!limit) return;
    taken.push(now);
    if (taken.length > limit.count) taken.shift();
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    if (at === Number.POSITIVE_INFINITY) return;
    // A timer may be a millisecond early.
    this.#timer = setTimeout(() => this.#options.onReady(), at - performance.now() + 1).unref();
  }

  /** Forgets a key without messages, when its limit does not count any that it had. */
  #forget(name: string | undefined, key: Key<Source>): void {
    const { limit } = this.#options;
    const isIdle = () => countOf(key) === 0;
    if (!isIdle() || this.#keys.get(name) !== key) return;
    if (!limit) {
      this.#keys.delete(name);
      return;
    }
    const latest = key.taken.at(-1);
    setTimeout(() => {
      if (isIdle() && key.taken.at(-1) === latest && this.#keys.get(name) === key) this.#keys.delete(name);
    }, limit.periodMs).unref();
  }
}
