/** First and last offset of entries of the index that follow each other. */
export type OffsetRange = readonly [first: number, last: number];

/** A set of offsets. Those that follow each other need as much memory as one. */
export class Offsets {
  #ranges: OffsetRange[] = [];
  #isJoined = true;

  add(first: number, last = first): void {
    const latest = this.#ranges.at(-1);
    if (latest && first > latest[1] + 1) this.#ranges.push([first, last]);
    else if (latest?.[1] === first - 1) this.#ranges[this.#ranges.length - 1] = [latest[0], last];
    else {
      this.#ranges.push([first, last]);
      this.#isJoined = this.#ranges.length === 1;
    }
  }

  has(offset: number): boolean {
    const ranges = this.ranges();
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.[1] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low];
    return range !== undefined && range[0] <= offset;
  }

  /** The lowest offset, from 0, that is not in the set. */
  get firstMissing(): number {
    const [first] = this.ranges();
    return first?.[0] === 0 ? first[1] + 1 : 0;
  }

  /** The set in its order, as few ranges as possible. */
  ranges(): readonly OffsetRange[] {
    if (this.#isJoined) return this.#ranges;
    const joined: OffsetRange[] = [];
    for (const [first, last] of this.#ranges.sort((a, b) => a[0] - b[0])) {
      const latest = joined.at(-1);
      if (latest && first <= latest[1] + 1)
        joined[joined.length - 1] = [latest[0], Math.max(latest[1], last)];
      else joined.push([first, last]);
    }
    this.#ranges = joined;
    this.#isJoined = true;
    return joined;
  }
}
