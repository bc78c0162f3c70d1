/** An item of one list at a time. The list sets these fields, and nothing else does. */
export interface Listed {
  isListed?: boolean;
  before?: Listed | undefined;
  after?: Listed | undefined;
}

/**
 * Work in flight, in the order of its beginning. A Set makes a new table after some additions, and each table refers to the one that
 * replaced it: once one of them is in V8's old space, all that the later ones have ever contained stays in memory until the next
 * collection of the old space.
 */
export class OpenList<Item extends Listed> implements Iterable<Item> {
  #first: Item | undefined;
  #last: Item | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest item. */
  get first(): Item | undefined {
    return this.#first;
  }

  /** Adds an item that is in no list. */
  add(item: Item): void {
    item.isListed = true;
    item.before = this.#last;
    if (this.#last) this.#last.after = item;
    else this.#first = item;
    this.#last = item;
    this.#size += 1;
  }

  /** @returns whether the item was in a list. */
  delete(item: Item): boolean {
    if (!item.isListed) return false;
    const before = item.before as Item | undefined;
    const after = item.after as Item | undefined;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    item.isListed = false;
    item.before = undefined;
    item.after = undefined;
    this.#size -= 1;
    return true;
  }

  clear(): void {
    for (const item of this) this.delete(item);
  }

  /** Of the items, only the one that it returned last may be deleted meanwhile. */
  *[Symbol.iterator](): Iterator<Item> {
    for (let item = this.#first; item; ) {
      const after = item.after as Item | undefined;
      yield item;
      item = after;
    }
  }
}
