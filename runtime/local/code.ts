import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildContext, BuildOptions, Plugin } from 'esbuild';
import { WarrenError } from '../base/errors.ts';
import { Bundles } from './bundles.ts';
import { relativeTo, Sources } from './sources.ts';

export interface CodeOptions {
  /** The project's folder. */
  root: string;
  /** Files of the handlers, relative to `root`. */
  files: readonly string[];
  /** Folder for the bundles, which nothing else may write to. */
  outdir: string;
}

export interface Built {
  /** The handler files whose bundles have changed, as in `files`. */
  changed: string[];
  /** Folders of the sources that the bundles are made of. */
  folders: Set<string>;
  /** Whether nothing is left to build; false if another build, of all, has to look at what else was saved. */
  isWhole: boolean;
}

/** The code of functions, bundled one by one. Packages are left out, so that a build takes milliseconds. */
export class Code {
  readonly #options: CodeOptions;
  readonly #bundles = new Bundles();
  readonly #sources: Sources;
  #context: BuildContext | undefined;
  /** Whether a build has failed, or a file was saved of which it is not known what it changes. */
  #isStale = true;
  /** The builds in progress, which `close` waits for. */
  #working: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: CodeOptions) {
    this.#options = options;
    this.#sources = new Sources(options.root);
  }

  /** Holds the bundles. */
  get folder(): string {
    return this.#options.outdir;
  }

  /**
   * Loads the bundler.
   *
   * @throws WarrenError ERR_CONFIG if esbuild is not installed in the project.
   */
  async prepare(): Promise<void> {
    await this.#unlessClosed(() => this.#prepared());
  }

  /**
   * Bundles what has changed since the last time; nothing after `close`.
   *
   * @param saved full paths of files. The bundles that were made of them are built; default all.
   * @throws esbuild's BuildFailure, whose message names each problem with its file and line; as `prepare`.
   */
  async build(saved?: ReadonlySet<string>): Promise<Built> {
    const built = await this.#unlessClosed(() => this.#build(saved));
    return built ?? { changed: [], folders: new Set(), isWhole: true };
  }

  /** Removes the bundles. A build in progress is canceled, or written before that. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#context?.dispose();
    await this.#working;
    // That of a bundler that was still loading.
    await this.#context?.dispose();
    await this.#bundles.remove(this.#options.outdir);
  }

  async #unlessClosed<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#isClosed) return undefined;
    const result = work();
    this.#working = Promise.allSettled([this.#working, result]).then(() => undefined);
    return result;
  }

  async #build(saved?: ReadonlySet<string>): Promise<Built> {
    const { root, files } = this.#options;
    const context = await this.#prepared();
    if (saved && !this.#sources.has(saved)) this.#isStale = true;
    const made = saved ? this.#sources.entriesOf(saved) : [];
    // All together take longer than a few, and know what they have read last.
    const isPart = made.length > 0 && made.length <= files.length / 2;
    const wasStale = this.#isStale;
    this.#isStale = true;
    const { outputFiles = [], metafile } = isPart ? await this.#buildPart(made) : await context.rebuild();
    const changed: string[] = [];
    for (const { path, hash, contents } of outputFiles) {
      if (!(await this.#bundles.write(path, hash, contents))) continue;
      const source = metafile?.outputs[relativeTo(root, path)]?.entryPoint;
      if (source !== undefined) changed.push(source);
    }
    const inputs = Object.keys(metafile?.inputs ?? {});
    if (metafile) this.#sources.note(metafile);
    this.#isStale = isPart && wasStale;
    const folders = new Set(inputs.map((input) => dirname(resolve(root, input))));
    return { changed, folders, isWhole: !this.#isStale };
  }

  async #prepared(): Promise<BuildContext> {
    this.#context ??= await this.#begin();
    return this.#context;
  }

  async #begin(): Promise<BuildContext> {
    const { context } = await loadEsbuild(this.#options.root);
    return context(this.#settings(this.#options.files));
  }

  async #buildPart(files: readonly string[]) {
    const { build } = await loadEsbuild(this.#options.root);
    return build(this.#settings(files));
  }

  #settings(files: readonly string[]) {
    const { root, outdir } = this.#options;
    return {
      absWorkingDir: root,
      entryPoints: [...files],
      outdir,
      outbase: '.',
      outExtension: { '.js': '.mjs' },
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      keepNames: true,
      sourcemap: 'inline',
      plugins: [externalPackages],
      // Node's own: a file for bundlers only would be run as it is.
      conditions: [],
      logLevel: 'silent',
    } satisfies BuildOptions;
  }
}

async function loadEsbuild(root: string): Promise<typeof import('esbuild')> {
  try {
    const path = createRequire(join(root, 'package.json')).resolve('esbuild');
    return (await import(pathToFileURL(path).href)) as typeof import('esbuild');
  } catch (cause) {
    const advice = 'expected it to be installed here: npm install --save-dev esbuild';
    throw new WarrenError('ERR_CONFIG', `esbuild: ${advice}`, { cause });
  }
}

const resolving = Symbol('resolving');

/**
 * Leaves out what is installed. The packages of a workspace are the project's own code, and what only they have installed is named by
 * its path, because a bundle would not find it.
 */
const externalPackages: Plugin = {
  name: 'external-packages',
  setup(build) {
    const { absWorkingDir: root = '' } = build.initialOptions;
    build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (kind === 'entry-point' || pluginData === resolving) return undefined;
      if (isBuiltin(path)) return { path, external: true };
      const found = await build.resolve(path, { importer, kind, resolveDir, pluginData: resolving });
      if (!found.path.includes(`${sep}node_modules${sep}`)) return found;
      const atRoot = await build.resolve(path, { kind, resolveDir: root, pluginData: resolving });
      if (atRoot.path === found.path) return { path, external: true };
      const isRequired = kind === 'require-call' || kind === 'require-resolve';
      return { path: isRequired ? found.path : pathToFileURL(found.path).href, external: true };
    });
  },
};
