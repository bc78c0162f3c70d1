import type { ChildProcess } from 'node:child_process';
import { type ProcessProgram, startProgram } from '../hosts/isolation/program.ts';

/**
 * A process that has started and waits for the function that it is to run. With it, new code runs as soon as it is loaded, without
 * the time that Node and the runtime take to start.
 */
export class SpareProcess {
  readonly #program: ProcessProgram;
  #spare: ChildProcess | undefined;
  #closed = false;

  constructor(program: ProcessProgram) {
    this.#program = program;
    this.#refill();
  }

  /** Returns a process, and starts the next spare one. */
  readonly take = (): ChildProcess => {
    const spare = this.#spare?.connected ? this.#spare : startProgram(this.#program);
    this.#spare = undefined;
    // Later, because the process that is needed now comes first.
    setTimeout(() => this.#refill(), refillMs).unref();
    return spare;
  };

  close(): void {
    this.#closed = true;
    // By force: a process that still loads would miss the end of its channel, and this one has no calls.
    this.#spare?.kill('SIGKILL');
  }

  #refill(): void {
    if (!this.#closed) this.#spare ??= startProgram(this.#program);
  }
}

const refillMs = 200;
