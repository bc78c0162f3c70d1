import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { shellPassages, yamlPassages } from './hash-comments.ts';
import { markdownPassages } from './markdown.ts';
import type { Passage } from './passage.ts';
import { scriptPassages } from './script.ts';

/** A file and its prose. */
export interface ProseFile {
  /** Relative to the folder that was read, with `/`. */
  readonly path: string;
  readonly source: string;
  readonly passages: readonly Passage[];
}

type Read = (source: string, path: string) => Passage[];
const script: Read = (source, path) => scriptPassages(path, source);
const readers: Readonly<Record<string, Read>> = {
  '.ts': script,
  '.tsx': script,
  '.mjs': script,
  '.cjs': script,
  '.js': script,
  '.yml': (source) => yamlPassages(source),
  '.yaml': (source) => yamlPassages(source),
  '.sh': (source) => shellPassages(source),
  '.md': markdownPassages,
};

/** Reads the prose of a text; undefined if no prose is known in such a file. */
export function passagesOf(path: string, source: string): Passage[] | undefined {
  return readers[extname(path)]?.(source, path);
}

/**
 * Reads the files of a folder that Git tracks or would add, so that a new file is checked before it is committed.
 * @param folder folder inside a work tree of Git
 * @param paths path prefixes or globs, as `git ls-files` takes them; all files if empty
 */
export async function readProse(folder: string, paths: readonly string[]): Promise<ProseFile[]> {
  const files: ProseFile[] = [];
  for (const path of await listFiles(folder, paths)) {
    if (extname(path) in readers) {
      const source = await readIfPresent(join(folder, path));
      const passages = source === undefined ? undefined : passagesOf(path, source);
      if (source !== undefined && passages !== undefined) {
        files.push({ path, source, passages });
      }
    }
  }
  return files;
}

async function listFiles(folder: string, paths: readonly string[]): Promise<string[]> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths];
  const { stdout } = await promisify(execFile)('git', args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  return [...new Set(stdout.split('\0'))].filter((path) => path !== '').sort();
}

/** Git also lists a file that was deleted and not staged, and a link to a folder. */
async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR')) {
      return undefined;
    }
    throw error;
  }
}
