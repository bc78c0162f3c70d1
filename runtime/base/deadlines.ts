import { type Listed, OpenList } from './open-list.ts';

/** Work with a deadline. */
export interface Limited extends Listed {
  /** By `performance.now`. */
  readonly endsAt: number;
  /** Called at the deadline. */
  late(): void;
}

/** A longer timer fires at once, because Node keeps its milliseconds in 32 bits. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * The deadlines of work in flight. One timer serves them all, because work is often shorter than the work of a timer. It keeps the
 * process alive only while there is work.
 */
export class Deadlines<Work extends Limited> {
  readonly #open = new OpenList<Work>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** The work in flight. */
  get open(): Iterable<Work> {
    return this.#open;
  }

  add(work: Work): void {
    this.#open.add(work);
    if (work.endsAt < this.#firesAt) this.#fireAt(work.endsAt);
    if (this.#open.size === 1) this.#timer?.ref();
  }

  delete(work: Work): void {
    if (this.#open.delete(work) && this.#open.size === 0) this.#timer?.unref();
  }

  #fireAt(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    if (at === Number.POSITIVE_INFINITY) this.#timer = undefined;
    else {
      const ms = Math.ceil(Math.max(0, at - performance.now()));
      this.#timer = setTimeout(() => this.#fire(), Math.min(maxTimerMs, ms));
    }
  }

  #fire(): void {
    const now = performance.now();
    const late = [...this.#open].filter(({ endsAt }) => endsAt <= now);
    for (const work of late) this.#open.delete(work);
    const next = [...this.#open].reduce(
      (first, { endsAt }) => Math.min(first, endsAt),
      Number.POSITIVE_INFINITY,
    );
    this.#fireAt(next);
    for (const work of late) work.late();
  }
}
