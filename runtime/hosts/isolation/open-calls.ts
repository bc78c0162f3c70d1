import type { Socket } from 'node:net';
import { Deadlines } from '../../base/deadlines.ts';
import { FunctionLateError, NotBegunError } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import { callError, type Ending, endError } from './ending.ts';
import { packEvent } from './event-codec.ts';
import { readFrames, sendFrame } from './frames.ts';
import { Lanes } from './lanes.ts';
import type { OneCall } from './life-options.ts';
import type { Recall, Recalled, SentCall, SentEnd } from './protocol.ts';

/** A call that has begun. */
export interface Begun {
  id: number;
  result: Promise<unknown>;
  /** Ends the wait for its result. */
  fail: (error: Error) => void;
}

interface OpenCall {
  /** Whether the call may not be made again. */
  once: boolean;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  /** Receives the milliseconds that it took in its process. */
  took: ((ms: number) => void) | undefined;
}

/** The calls of a process that have begun and have no result yet, and those that were sent ahead of their beginning. */
export class OpenCalls {
  /** Resolves when no more results come. */
  readonly closed: Promise<void>;
  readonly #stream: Socket;
  readonly #functionName: string;
  readonly #calls = new Map<number, OpenCall>();
  readonly #deadlines = new Deadlines();
  readonly #lanes = new Lanes();
  #last = 0;
  #idle: (() => void) | undefined;

  /**
   * @param stream connects both processes.
   * @param heard is called for each message of the process.
   */
  constructor(stream: Socket, functionName: string, heard: () => void) {
    this.#stream = stream;
    this.#functionName = functionName;
    this.closed = readFrames(stream, (message) => {
      heard();
      this.#take(message as SentEnd | Recalled);
    });
  }

  /** Number of calls that have begun. */
  get size(): number {
    return this.#calls.size;
  }

  /** Milliseconds that they have to end before their process does. A call that is not made again has all of its time. */
  graceMs({ graceMs, timeoutMs }: { graceMs: number; timeoutMs: number }): number {
    const isOnce = [...this.#calls.values()].some(({ once }) => once);
    return isOnce ? Math.max(graceMs, timeoutMs) : graceMs;
  }

  /** Sends a call that begins at once. */
  send(event: RabbitMQEvent, { once = false, until, lane }: OneCall): Begun {
    const id = this.#nextId();
    const begun = this.#open(id, once);
    if (lane !== undefined) this.#lanes.open(lane, id);
    this.#post({ id, ...packEvent(event), until, lane });
    return begun;
  }

  /**
   * Sends a call that begins when the one in front of it in its lane has ended without a failure.
   *
   * @param took receives the milliseconds that it took in its process, unless that ended before.
   * @returns the call when it has begun, or NotBegunError; undefined if none of its lane is in flight.
   */
  ahead(event: RabbitMQEvent, lane: number, took?: OpenCall['took']): Promise<Begun> | undefined {
    if (!this.#lanes.has(lane)) return undefined;
    const id = this.#nextId();
    this.#post({ id, ...packEvent(event), lane, ahead: true });
    return new Promise((begin, drop) => {
      this.#lanes.add(lane, {
        id,
        begin: () => begin(this.#open(id, false, took)),
        drop: () => drop(this.#notBegun()),
      });
    });
  }

  /** Waits for the result of a call. @throws FunctionLateError after `ms`; else as the call. */
  async inTime({ id, result, fail }: Begun, ms: number): Promise<unknown> {
    const late = () => fail(new FunctionLateError(this.#functionName));
    const limited = { endsAt: performance.now() + ms, late };
    this.#deadlines.add(limited);
    try {
      return await result;
    } finally {
      this.#deadlines.delete(limited);
      this.#close(id);
    }
  }

  /** Takes back the calls that have not begun. @param lane default all lanes. */
  recall(lane?: number): void {
    if (lane === undefined || this.#lanes.has(lane)) this.#post({ recall: true, lane });
  }

  /** Takes a call out; undefined if it was late. */
  #close(id: number): OpenCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#idle?.();
    return call;
  }

  /** Resolves when none is open. */
  async none(): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Fails all calls because their process has ended. */
  fail(ending: Ending, replaced: boolean): void {
    for (const { once, reject } of this.#calls.values())
      reject(endError(this.#functionName, ending, { once, replaced }));
    this.#calls.clear();
    this.#lanes.end();
  }

  #take(message: SentEnd | Recalled): void {
    if (message.kind === 'recalled') {
      const ids = new Set(message.ids);
      this.#lanes.recalled(ids);
      for (const each of ids) this.#close(each)?.reject(this.#notBegun());
      return;
    }
    const { id, lane, kind } = message;
    // First, because the process is not idle if the next one has begun.
    if (lane !== undefined) this.#lanes.ended(lane, id, kind === 'done' && message.next === true);
    // A late one has been settled.
    const call = this.#close(id);
    call?.took?.(message.ms);
    if (kind === 'done') call?.resolve(message.result);
    else call?.reject(callError(this.#functionName, message));
  }

  #notBegun(): NotBegunError {
    return new NotBegunError(`the call of ${this.#functionName} has not begun`);
  }

  #nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  #open(id: number, once: boolean, took?: OpenCall['took']): Begun {
    let fail: Begun['fail'] = () => undefined;
    const result = new Promise<unknown>((resolve, reject) => {
      fail = reject;
      this.#calls.set(id, { once, resolve, reject, took });
    });
    return { id, result, fail };
  }

  /** What is sent in one turn of the event loop leaves together. */
  #post(message: SentCall | Recall): void {
    const stream = this.#stream;
    if (stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    sendFrame(stream, message);
  }
}
