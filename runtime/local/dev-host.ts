import { join } from 'node:path';
import pc from 'picocolors';
import type { Host } from '../hosts/host.ts';
import type { Manifest } from '../hosts/manifest.ts';
import { applyTopology } from '../topology/apply.ts';
import { serviceTopology, toService } from '../topology/service-file.ts';
import { callLines } from './call-lines.ts';
import { Generation, type GenerationOptions } from './generation.ts';
import { SpareProcess } from './spare-process.ts';
import { ProjectWatch } from './watch.ts';

export interface DevHostOptions extends Omit<GenerationOptions, 'manifest' | 'report'> {
  /** Reads serverless.yml, at the start and after each change. */
  readManifest(): Promise<Manifest>;
  print(line: string): void;
}

/**
 * Feeds all functions of a project on this machine, and runs new code as soon as it is saved: further calls run in new processes, and
 * those in flight end in the old ones. Code or a serverless.yml with a mistake is reported, and what ran before goes on.
 */
export class DevHost implements Host {
  readonly #options: DevHostOptions;
  #generation: Generation | undefined;
  #watch: ProjectWatch | undefined;
  #spare: SpareProcess | undefined;
  /** The changes are taken in one after the other. */
  #work: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  constructor(options: DevHostOptions) {
    this.#options = options;
  }

  /** What is fed: functions with their queues, routes and schedules. */
  get generation(): Generation | undefined {
    return this.#generation;
  }

  /** @throws WarrenError for a serverless.yml with a mistake, a topology that cannot be declared, or as the hosts. */
  async start(): Promise<void> {
    const { root, program } = this.#options;
    this.#spare = new SpareProcess(program);
    // Before the build, so that no save is missed.
    this.#watch = new ProjectWatch(root, (paths) => {
      this.#work = this.#work.then(() => this.#attempt(() => this.#take(paths)));
    });
    try {
      await this.#renew();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<boolean> {
    this.#watch?.close();
    await this.#work;
    await this.#generation?.stop();
    this.#spare?.close();
    return true;
  }

  async #take(paths: ReadonlySet<string>): Promise<void> {
    const { root, print } = this.#options;
    const generation = this.#generation;
    if (!generation) return;
    const begun = performance.now();
    if (paths.has(join(root, 'serverless.yml'))) {
      await this.#renew();
      print(`${pc.cyan('serverless.yml')}  applied ${since(begun)}`);
      return;
    }
    const names = await this.#build(generation);
    if (names.length === 0) return;
    await generation.functions.reload(names);
    print(`${pc.cyan('reloaded')}  ${names.join(', ')}  ${since(begun)}`);
  }

  /** Reads serverless.yml, and replaces all hosts. Queues and exchanges are only added. */
  async #renew(): Promise<void> {
    const { readManifest, url, print, program } = this.#options;
    const manifest = await readManifest();
    const topology = serviceTopology(toService(manifest));
    const next = new Generation({
      ...this.#options,
      program: { ...program, fork: this.#spare?.take },
      manifest,
      report: (call) => callLines(call).forEach(print),
    });
    await applyTopology(url, topology);
    await this.#attempt(async () => void (await this.#build(next)));
    // One port serves the routes, and one consumer may be the only one of a queue.
    await this.#generation?.stop();
    this.#generation = next;
    await next.start();
  }

  /** Returns the functions with new code. */
  async #build(generation: Generation): Promise<string[]> {
    const { changed, folders } = await generation.code.build();
    this.#watch?.add(folders);
    this.#problem = undefined;
    return generation.functionsOf(changed);
  }

  /** Reports a problem once, however often files are saved meanwhile. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== this.#problem) this.#options.print(`${pc.red('not reloaded')}  ${text}`);
      this.#problem = text;
    }
  }
}

const since = (begun: number) => pc.dim(`${Math.round(performance.now() - begun)} ms`);
