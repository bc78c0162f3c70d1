import type { Deadlines, Limited } from '../base/deadlines.ts';
import { isPromise } from '../base/promises.ts';
import { recordOverdue } from './overdue-runs.ts';

/** A part of a call's time that is kept for verdicts and copies, at least and at most, in milliseconds. */
const [minReserveMs, maxReserveMs] = [50, 3000];

/**
 * The time that messages may take in a call.
 *
 * @param remainingMs of the call; undefined or 0 without a limit.
 */
export function timeForMessages(remainingMs: number | undefined): number {
  if (!remainingMs) return Number.POSITIVE_INFINITY;
  return remainingMs - Math.min(maxReserveMs, Math.max(minReserveMs, remainingMs / 10));
}

/** The time that a call leaves for its messages. */
export class BatchTime implements Limited {
  readonly endsAt: number;
  readonly late: () => void;
  #ending: AbortController | undefined;
  #isOver = false;

  /** @param ms Infinity without a limit. */
  constructor(ms: number, late: () => void) {
    this.late = late;
    this.endsAt = ms === Number.POSITIVE_INFINITY ? ms : performance.now() + ms;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted when the time is over. Made at its first use: most handlers do not need it. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    if (this.#isOver) this.#abort();
    return this.#ending.signal;
  }

  end(): void {
    this.#isOver = true;
    this.#abort();
  }

  #abort(): void {
    this.#ending?.abort(new Error('the time of the call is over'));
  }
}

export interface BatchRun {
  /** Number of messages at a time. */
  concurrency: number;
  /** Milliseconds, Infinity without a limit. */
  ms: number;
  /** Of all calls of the function. */
  deadlines: Deadlines<BatchTime>;
  /** Takes what `run` throws. It is not `run` that catches it, because each `catch` of a promise makes another promise. */
  stuck: (error: unknown) => void;
}

/** Handles one message; the promise is that of the message. */
type Run<Item> = (item: Item, time: BatchTime) => Promise<void> | void;

/**
 * Runs messages, several at a time, until all are done or the time is over.
 *
 * @param run handles one message.
 * @returns the messages that are not done. Their handlers may still run, and nothing waits for them.
 */
export function runBatch<Item>(items: readonly Item[], options: BatchRun, run: Run<Item>): Promise<Item[]> {
  return new Promise((resolve) => {
    new Running(items, options, run, resolve).start();
  });
}

/**
 * The messages of a call. Several lanes take one message after the other. A lane is a pair of functions and not an `async` one,
 * which takes longer than the rest of a message.
 */
class Running<Item> {
  readonly #items: readonly Item[];
  readonly #options: BatchRun;
  readonly #run: Run<Item>;
  readonly #resolve: (late: Item[]) => void;
  readonly #time: BatchTime;
  /** Indexes of the messages that lanes have in hand, by lane. */
  readonly #inHand: (number | undefined)[];
  #next = 0;
  #done = 0;
  #isSettled = false;
  /** Called when no handler runs any more, if some are late. */
  #ended: (() => void) | undefined;

  constructor(items: readonly Item[], options: BatchRun, run: Run<Item>, resolve: (late: Item[]) => void) {
    this.#items = items;
    this.#options = options;
    this.#run = run;
    this.#resolve = resolve;
    this.#time = new BatchTime(options.ms, () => this.#late());
    this.#inHand = new Array<undefined>(Math.min(options.concurrency, items.length));
  }

  start(): void {
    const { ms, deadlines } = this.#options;
    if (ms !== Number.POSITIVE_INFINITY) deadlines.add(this.#time);
    const lanes = this.#inHand.length;
    if (lanes === 0) this.#settle([]);
    for (let lane = 0; lane < lanes; lane += 1) this.#startLane(lane);
  }

  #startLane(lane: number): void {
    const ended = () => {
      this.#end(lane);
      this.#continue(lane, ended, failed);
    };
    const failed = (error: unknown) => {
      this.#options.stuck(error);
      ended();
    };
    this.#continue(lane, ended, failed);
  }

  /** Takes messages until one has to be awaited. */
  #continue(lane: number, ended: () => void, failed: (error: unknown) => void): void {
    while (this.#next < this.#items.length && !this.#time.isOver) {
      const index = this.#next;
      this.#next += 1;
      this.#inHand[lane] = index;
      try {
        const running = this.#run(this.#items[index] as Item, this.#time);
        if (isPromise(running)) {
          running.then(ended, failed);
          return;
        }
      } catch (error) {
        this.#options.stuck(error);
      }
      this.#end(lane);
    }
  }

  /** The message of a lane has ended. */
  #end(lane: number): void {
    this.#inHand[lane] = undefined;
    this.#done += 1;
    if (this.#done === this.#items.length) this.#settle([]);
    if (this.#ended && this.#inHand.every((index) => index === undefined)) this.#ended();
  }

  #late(): void {
    const inHand = this.#inHand.filter((index) => index !== undefined).sort((one, other) => one - other);
    const late = inHand.map((index) => this.#items[index] as Item);
    this.#settle([...late, ...this.#items.slice(this.#next)]);
    if (inHand.length === 0) return;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    recordOverdue(ended);
  }

  /** Once: a message that is late may still end. */
  #settle(late: Item[]): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (this.#options.ms !== Number.POSITIVE_INFINITY) {
      this.#options.deadlines.delete(this.#time);
      this.#time.end();
    }
    this.#resolve(late);
  }
}
