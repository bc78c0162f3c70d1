import { callError, type Ending, endError } from './ending.ts';
import type { SentEnd } from './protocol.ts';

export interface OneCall {
  /** Whether the call may not be made again, so that it fails if its process ends for another; default false. */
  once?: boolean;
  /** Deadline of its caller in milliseconds since 1970, at which the call fails and its process stays; default none. */
  until?: number | undefined;
}

interface OpenCall {
  /** Whether the call may not be made again. */
  once: boolean;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** The calls of a process that have no result yet. */
export class OpenCalls {
  readonly #calls = new Map<number, OpenCall>();
  #last = 0;
  #idle: (() => void) | undefined;

  get size(): number {
    return this.#calls.size;
  }

  /** Milliseconds that they have to end before their process does. A call that is not made again has all of its time. */
  graceMs({ graceMs, timeoutMs }: { graceMs: number; timeoutMs: number }): number {
    const isOnce = [...this.#calls.values()].some(({ once }) => once);
    return isOnce ? Math.max(graceMs, timeoutMs) : graceMs;
  }

  /** @param once whether the call may not be made again. */
  open(once: boolean): { id: number; result: Promise<unknown> } {
    this.#last += 1;
    const id = this.#last;
    const result = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, { once, resolve, reject });
    });
    return { id, result };
  }

  /** Takes a call out, to settle it; undefined if it is late. */
  close(id: number): OpenCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#idle?.();
    return call;
  }

  /** Settles a call by its end; a late one has been settled. */
  end(end: SentEnd, functionName: string): void {
    const call = this.close(end.id);
    if (end.kind === 'done') call?.resolve(end.result);
    else call?.reject(callError(functionName, end));
  }

  /** Resolves when none is open. */
  async none(): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Fails all calls because their process has ended. */
  fail(functionName: string, ending: Ending, replaced: boolean): void {
    for (const { once, reject } of this.#calls.values())
      reject(endError(functionName, ending, { once, replaced }));
    this.#calls.clear();
  }
}
