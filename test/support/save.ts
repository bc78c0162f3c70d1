import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file that a program watches. The file changes once and as a whole, because a program that reads a half-written file on a
 * busy machine would report a mistake that no test has made.
 */
export async function save(path: string, text: string): Promise<void> {
  // A watch of `warren dev` ignores names that begin with a dot.
  const draft = join(dirname(path), `.${basename(path)}`);
  await writeFile(draft, text);
  await rename(draft, path);
}
