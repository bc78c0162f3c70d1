import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The bundles on disk. A process may read them at any time. */
export class Bundles {
  readonly #hashes = new Map<string, string>();

  /** Writes a bundle as a whole, if it is not the one that is there. Returns whether it was another. */
  async write(path: string, hash: string, contents: Uint8Array): Promise<boolean> {
    if (this.#hashes.get(path) === hash) return false;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, contents);
    await rename(`${path}.new`, path);
    this.#hashes.set(path, hash);
    return true;
  }

  async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }
}
