import { relative, resolve, sep } from 'node:path';

/** The part of esbuild's metafile that is needed. A project without a build has no esbuild, nor its types. */
interface Build {
  inputs: Record<string, { imports: { path: string; external?: boolean | undefined }[] }>;
  outputs: Record<string, { entryPoint?: string | undefined }>;
}

/** Which bundles are made of which files. */
export class Sources {
  readonly #root: string;
  /** Full paths by the entry file of a bundle. */
  readonly #files = new Map<string, ReadonlySet<string>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Takes over what a build has read for its bundles. */
  note({ inputs, outputs }: Build): void {
    for (const { entryPoint } of Object.values(outputs)) {
      if (entryPoint === undefined) continue;
      // Also what the bundle leaves out, such as an import that nothing uses: it may be used when it is saved.
      const read = new Set([entryPoint]);
      for (const path of read) {
        for (const each of inputs[path]?.imports ?? []) if (!each.external) read.add(each.path);
      }
      this.#files.set(entryPoint, new Set([...read].map((path) => resolve(this.#root, path))));
    }
  }

  /** Whether each of these files is in a bundle. */
  has(paths: ReadonlySet<string>): boolean {
    const all = [...this.#files.values()];
    return [...paths].every((path) => all.some((files) => files.has(path)));
  }

  /** The entry files of the bundles that are made of any of these files. */
  entriesOf(paths: ReadonlySet<string>): string[] {
    const made = [...this.#files].filter(([, files]) => [...paths].some((path) => files.has(path)));
    return made.map(([entry]) => entry);
  }
}

/** A path as esbuild writes it, also for a root with a slash at its end. */
export const relativeTo = (root: string, path: string): string => relative(root, path).replaceAll(sep, '/');
