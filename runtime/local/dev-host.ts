import { join } from 'node:path';
import pc from 'picocolors';
import { doneWithin } from '../base/deadline.ts';
import { DeadlineError } from '../base/errors.ts';
import type { Host, StopOptions } from '../hosts/host.ts';
import type { Manifest } from '../hosts/manifest.ts';
import { placeTopology } from '../topology/place.ts';
import { Attempts } from './attempts.ts';
import { callLines } from './call-lines.ts';
import { type Generation, type GenerationOptions, readGeneration } from './generation.ts';
import { SpareProcess } from './spare-process.ts';
import { ProjectWatch } from './watch.ts';

export interface DevHostOptions extends Omit<GenerationOptions, 'manifest' | 'report'> {
  /** Reads serverless.yml, at the start and after each change. */
  readManifest(): Promise<Manifest>;
  print(line: string): void;
  /** URL of the broker's management API, for what only policies can change; default none. */
  managementUrl?: string | undefined;
}

/**
 * Feeds all functions of a project on this machine, and runs new code as soon as it is saved: further calls run in new processes, and
 * those in flight end in the old ones. Code or a serverless.yml with a mistake is reported, and what ran before goes on.
 */
export class DevHost implements Host {
  readonly #options: DevHostOptions;
  readonly #attempts: Attempts;
  #generation: Generation | undefined;
  #watch: ProjectWatch | undefined;
  #spare: SpareProcess | undefined;
  /** The changes are taken in one after the other. */
  #work: Promise<void> = Promise.resolve();
  #started: Promise<void> = Promise.resolve();
  /** Whether serverless.yml has changed and is not applied. */
  #isOutdated = false;
  constructor(options: DevHostOptions) {
    this.#options = options;
    this.#attempts = new Attempts(options.print);
  }

  /** What was reported and is not mended, by the part that it is about. */
  get problems(): ReadonlyMap<string, string> {
    return this.#attempts.problems;
  }

  /** What is fed: functions with their queues, routes and schedules. */
  get generation(): Generation | undefined {
    return this.#generation;
  }

  /** @throws WarrenError for a serverless.yml with a mistake, a topology that cannot be declared, or as the hosts. */
  async start(): Promise<void> {
    this.#spare = new SpareProcess(this.#options.program);
    // Before the build, so that no save is missed.
    this.#watch = new ProjectWatch(this.#options.root, (paths) => {
      const before = Promise.all([this.#work, this.#started]);
      // If the start fails, there is nothing to change.
      this.#work = before.then(
        () => this.#take(paths),
        () => undefined,
      );
    });
    this.#started = this.#begin();
    try {
      await this.#started;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop({ deadlineMs = Number.POSITIVE_INFINITY }: StopOptions = {}): Promise<boolean> {
    const deadline = performance.now() + deadlineMs;
    this.#attempts.close();
    this.#watch?.close();
    await doneWithin(this.#work, deadlineMs);
    const left = Math.max(0, deadline - performance.now());
    const done = (await this.#generation?.stop({ deadlineMs: left })) ?? true;
    await this.#generation?.code.close();
    this.#spare?.close();
    return done;
  }

  async #begin(): Promise<void> {
    const generation = await this.#next();
    this.#generation = generation;
    // Without esbuild nothing can run, but a mistake in the code can be mended.
    await generation.code.prepare();
    await this.#attempts.run('code', async () => void (await this.#build(generation)));
    if (!this.#attempts.isClosed) await generation.start();
  }

  async #take(paths: ReadonlySet<string>): Promise<void> {
    const ofService = paths.has(join(this.#options.root, 'serverless.yml'));
    if (ofService) this.#isOutdated = true;
    if (ofService && (await this.#attempts.run('serverless.yml', () => this.#apply()))) return;
    await this.#attempts.run('code', () => this.#reload(paths));
    // What kept the last serverless.yml from being applied may be mended.
    if (this.#isOutdated && !ofService) await this.#attempts.run('serverless.yml', () => this.#apply());
  }

  async #reload(paths?: ReadonlySet<string>): Promise<void> {
    const begun = performance.now();
    const generation = this.#generation;
    if (!generation) return;
    const { names, isWhole } = await this.#build(generation, paths);
    await generation.functions.reload(names);
    const text = `${pc.cyan('reloaded')}  ${names.join(', ')}  ${since(begun)}`;
    if (names.length > 0) this.#options.print(text);
    if (!isWhole) await this.#reload();
  }

  async #apply(): Promise<void> {
    const begun = performance.now();
    const next = await this.#next();
    try {
      await this.#build(next);
      await this.#replaceBy(next);
    } catch (error) {
      await next.stop();
      await next.code.close();
      throw error;
    }
    this.#isOutdated = false;
    this.#options.print(`${pc.cyan('serverless.yml')}  applied ${since(begun)}`);
  }

  /** Reads serverless.yml, and declares its topology: queues and exchanges are only added. */
  async #next(): Promise<Generation> {
    const { readManifest, url, managementUrl, print, program } = this.#options;
    const { topology, next } = await readGeneration(readManifest, {
      ...this.#options,
      program: { ...program, fork: this.#spare?.take },
      report: (call) => callLines(call).forEach(print),
    });
    try {
      const { problems } = await placeTopology(topology, { url, managementUrl });
      for (const problem of problems) print(problem);
      return next;
    } catch (error) {
      await next.stop();
      throw error;
    }
  }

  /** Stops the old hosts first: one port serves the routes, and one consumer may be the only one of a queue. */
  async #replaceBy(next: Generation): Promise<void> {
    const former = this.#generation;
    await former?.stop();
    // A stop with a deadline may have ended meanwhile.
    if (this.#attempts.isClosed) throw new DeadlineError('stopped before the old hosts have ended');
    try {
      await next.start();
    } catch (error) {
      await next.stop();
      this.#generation = former?.again();
      await this.#generation?.start();
      throw error;
    }
    this.#generation = next;
    await former?.code.close();
  }

  /** Returns the functions with new code. */
  async #build(generation: Generation, paths?: ReadonlySet<string>) {
    const { changed, folders, isWhole } = await generation.code.build(paths);
    this.#watch?.add(folders);
    return { names: generation.functionsOf(changed), isWhole };
  }
}

const since = (begun: number) => pc.dim(`${Math.round(performance.now() - begun)} ms`);
