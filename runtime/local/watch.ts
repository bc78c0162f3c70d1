import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Milliseconds without a change after which a save is over: an editor writes several times. */
const quietMs = 30;

/** Folders with nothing that a person edits. */
const ignored = /^(node_modules|\..+|dist|coverage)$/;

/** Watches the folders of a project. */
export class ProjectWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  readonly #onChange: (paths: ReadonlySet<string>) => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param root the project's folder; folders of packages and those that begin with a dot are left out.
   * @param onChange is called with the full paths of the files that changed at about the same time.
   */
  constructor(root: string, onChange: (paths: ReadonlySet<string>) => void) {
    this.#onChange = onChange;
    this.#addTree(root);
  }

  /** Watches further folders, such as those of a package in the same workspace. */
  add(folders: Iterable<string>): void {
    for (const folder of folders) this.#watch(folder);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  #addTree(folder: string): void {
    this.#watch(folder);
    for (const each of readdirSync(folder, { withFileTypes: true })) {
      if (each.isDirectory() && !ignored.test(each.name)) this.#addTree(join(folder, each.name));
    }
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    const watcher = watch(folder, (kind, name) => {
      if (name === null || ignored.test(name)) return;
      const path = join(folder, name);
      if (kind === 'rename') this.#tryTree(path);
      this.#note(path);
    });
    // The folder is gone.
    watcher.on('error', () => {
      watcher.close();
      this.#watchers.delete(folder);
    });
    this.#watchers.set(folder, watcher);
  }

  /** A path that appeared may be a folder. */
  #tryTree(path: string): void {
    try {
      this.#addTree(path);
    } catch {
      // It is a file, or gone already.
      this.#watchers.get(path)?.close();
      this.#watchers.delete(path);
    }
  }

  #note(path: string): void {
    this.#changed.add(path);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const paths = new Set(this.#changed);
      this.#changed.clear();
      this.#onChange(paths);
    }, quietMs);
  }
}
