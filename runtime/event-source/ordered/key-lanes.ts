import type { KeyCounts } from './key-counts.ts';
import type { BehindLimits, Held, LaneLimits, Lanes } from './lanes.ts';

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

  /** Takes others that are ready and the next messages of the keys of a call, at most one of each key. */
  takeBehind(
    front: readonly Held<Source>[],
    { size, bytes, least }: BehindLimits,
    mayFollow: (held: Held<Source>) => boolean,
  ): Held<Source>[] {
    const taken: Held<Source>[] = [];
    let sum = 0;
    const others = [...this.#ready].slice(0, size);
    for (const held of [...others, ...this.#behind(front)]) {
      if (taken.length >= size || sum + held.bytes > bytes) break;
      if (!mayFollow(held)) continue;
      sum += held.bytes;
      taken.push(held);
    }
    if (taken.length < least) return [];
    for (const held of taken) {
      this.#ready.delete(held);
      held.running = true;
    }
    return taken;
  }

  #behind(front: readonly Held<Source>[]): Held<Source>[] {
    return front.flatMap((held) => {
      const lane = held.key === undefined || !held.running ? undefined : this.#lanes.get(held.key);
      const next = lane?.[lane.indexOf(held) + 1];
      const isFree = next && next.source === held.source && !next.running && !this.#delayed.has(next);
      return isFree ? [next] : [];
    });
  }

  /** A message is settled, and the next one of its key is ready. */
  done(held: Held<Source>): void {
    held.running = false;
    if (held.key === undefined) return;
    const lane = this.#lanes.get(held.key);
    const at = lane?.indexOf(held) ?? -1;
    if (!lane || at < 0) return;
    lane.splice(at, 1);
    if (lane.length === 0) this.#lanes.delete(held.key);
    else this.#refresh(lane);
  }

  /** A message is ready again after some milliseconds, and its key waits until then. */
  delay(held: Held<Source>, ms: number): void {
    held.running = false;
    if (ms <= 0) {
      this.#again(held);
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(held);
      this.#again(held);
      this.#onReady();
    }, ms);
    this.#delayed.set(held, timer);
  }

  #again(held: Held<Source>): void {
    const lane = held.key === undefined ? undefined : this.#lanes.get(held.key);
    if (!lane) this.#ready.add(held);
    else this.#refresh(lane);
  }

  /** The first message of a key is ready if it is not delayed, and if no message of the key is taken, such as one behind it. */
  #refresh(lane: readonly Held<Source>[]): void {
    const [first] = lane;
    if (first && !this.#delayed.has(first) && !lane.some(({ running }) => running)) this.#ready.add(first);
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
        this.#refresh(left);
      }
    }
  }
}
