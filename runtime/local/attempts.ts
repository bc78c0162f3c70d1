import pc from 'picocolors';
import { thrownText } from '../base/thrown-text.ts';

/** Work on what was saved, which may have mistakes: they are reported, and what ran before goes on. */
export class Attempts {
  readonly #print: (line: string) => void;
  #isClosed = false;
  /** What was reported and is not mended, by the part that it is about. */
  readonly problems = new Map<string, string>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Reports nothing from now on: the bundler, for example, cancels its build when it is ended. */
  close(): void {
    this.#isClosed = true;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Reports a problem once, however often files are saved meanwhile. Returns whether the work succeeded. */
  async run(part: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.problems.delete(part);
      return true;
    } catch (error) {
      if (this.#isClosed) return false;
      const text = thrownText(error instanceof Error ? error.message : error);
      const isKnown = [...this.problems.values()].includes(text);
      if (!isKnown) this.#print(`${pc.red('not reloaded')}  ${text}`);
      this.problems.set(part, text);
      return false;
    }
  }
}
