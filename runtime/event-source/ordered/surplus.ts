import type { Held } from './key-lanes.ts';
import type { Hand } from './key-room.ts';

/**
 * Messages of a partition that are on their way to this worker, at most, while it has others to move aside. Those of another partition
 * come behind them, and the worker is busy with them: so they are fewer while another partition has some in hand.
 */
const [underway, besideOthers] = [256, 16];
/** Milliseconds after which a message is moved aside in any case: the broker limits the time until an acknowledgement. */
const maxMs = 60_000;

/** What the partitions of a worker know of each other. */
export interface Others {
  /** Whether another partition has messages in hand for which this one has to step back. */
  wait(): boolean;
  /** Whether the partitions together hold less than they may, so that one of them may hold more than its part. */
  hasMemory(): boolean;
}

/**
 * Messages above the shares of their keys that are not moved aside yet. As long as they are here, the broker sends no others in their
 * place: so the worker reads a backlog little by little, and messages that fit into its memory need not be moved at all.
 */
export class Surplus<Source> {
  readonly #others: Others;
  readonly #held = new Set<Held<Source>>();
  readonly #keys = new Map<string | undefined, Set<Held<Source>>>();
  #bytes = 0;

  constructor(others: Others) {
    this.#others = others;
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Bytes of their events. */
  get bytes(): number {
    return this.#bytes;
  }

  add(held: Held<Source>): void {
    this.#held.add(held);
    const own = this.#keys.get(held.key);
    if (own) own.add(held);
    else this.#keys.set(held.key, new Set([held]));
    this.#bytes += held.bytes;
  }

  /** The oldest message of a key. */
  firstOf(key: string | undefined): Held<Source> | undefined {
    const [first] = this.#keys.get(key) ?? [];
    return first;
  }

  remove(held: Held<Source>): void {
    if (!this.#held.delete(held)) return;
    this.#bytes -= held.bytes;
    const own = this.#keys.get(held.key);
    own?.delete(held);
    if (own?.size === 0) this.#keys.delete(held.key);
  }

  /** Takes out a message that has to be moved aside, so that the worker can read on; undefined if there is room. */
  takeExcess(
    { messages, bytes, maxMessages, maxBytes }: Hand,
    now = performance.now(),
  ): Held<Source> | undefined {
    const [first] = this.#held;
    if (!first) return undefined;
    const all = messages + this.#held.size;
    const isFew = all <= maxMessages - underway || (all <= maxMessages - besideOthers && this.#others.wait());
    const hasRoom = isFew && (bytes + this.#bytes <= maxBytes || this.#others.hasMemory());
    if (hasRoom && now - first.since < maxMs) return undefined;
    this.remove(first);
    return first;
  }

  clear(): void {
    this.#held.clear();
    this.#keys.clear();
    this.#bytes = 0;
  }
}
