import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pc from 'picocolors';
import { ProjectWatch } from './watch.ts';

/** Checks the types of a project at the start and after each save, with the TypeScript that is installed there. The code runs anyway. */
export class TypeCheck {
  readonly #root: string;
  readonly #program: string;
  readonly #print: (line: string) => void;
  readonly #isBroken: () => boolean;
  readonly #watch: ProjectWatch;
  readonly #ended = new AbortController();
  #work: Promise<void> | undefined;
  /** Whether a file was saved during a check. */
  #isOutdated = false;
  /** The errors that TypeScript reports, undefined if there are none. */
  problem: string | undefined;

  /**
   * @param program path of `tsc`.
   * @param isBroken whether the bundler has reported a mistake, so that the errors are not reported twice.
   */
  constructor(root: string, program: string, print: (line: string) => void, isBroken: () => boolean) {
    [this.#root, this.#program, this.#print, this.#isBroken] = [root, program, print, isBroken];
    this.#watch = new ProjectWatch(root, (paths) => {
      if ([...paths].some((path) => /\.([cm]?tsx?|json)$/.test(path))) this.#begin();
    });
    this.#begin();
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#ended.abort();
    await this.#work;
  }

  #begin(): void {
    this.#isOutdated = true;
    this.#work ??= this.#check().finally(() => {
      this.#work = undefined;
    });
  }

  async #check(): Promise<void> {
    while (this.#isOutdated && !this.#ended.signal.aborted) {
      this.#isOutdated = false;
      const problem = await this.#errors();
      const { signal } = this.#ended;
      // The bundler may read a save later than the check, and reports syntax errors itself.
      while (this.#isBroken() && !this.#isOutdated && !signal.aborted)
        await pause(100, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || this.#isOutdated) continue;
      if (problem === this.problem) continue;
      this.problem = problem;
      this.#print(problem === undefined ? pc.green('types mended') : `${pc.red('wrong types')}  ${problem}`);
    }
  }

  /** Returns what TypeScript prints if it finds errors. */
  #errors(): Promise<string | undefined> {
    const args = [this.#program, '--noEmit', '--pretty', 'false', '--project', this.#root];
    const options = { cwd: this.#root, signal: this.#ended.signal, maxBuffer: 1 << 24 };
    return new Promise((resolve) => {
      execFile(process.execPath, args, options, (error, stdout) => {
        resolve(error ? stdout.trim() || error.message : undefined);
      });
    });
  }
}

/** Path of the `tsc` of a project with a tsconfig.json; undefined if it has none, or TypeScript is not installed. */
export function typeChecker(root: string): string | undefined {
  if (!existsSync(join(root, 'tsconfig.json'))) return undefined;
  try {
    const path = createRequire(join(root, 'package.json')).resolve('typescript/package.json');
    const { bin } = JSON.parse(readFileSync(path, 'utf8')) as { bin: { tsc: string } };
    return join(dirname(path), bin.tsc);
  } catch {
    return undefined;
  }
}
