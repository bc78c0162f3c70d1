import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseAddresses } from '../amqp/address.ts';
import type { Columns } from './entry-table.ts';
import type { OffsetRange } from './offsets.ts';
import type { LastRead } from './read-new.ts';

/** The part of an index that a file keeps for the next process. */
export interface FiledState {
  /** The last entry and the last mark that were read; undefined if there is none. */
  log?: LastRead | undefined;
  marks?: LastRead | undefined;
  /** Marks of entries that were not read. */
  early: readonly OffsetRange[];
  columns: Columns;
}

/** Changes with the form of the file; a file of another form is not read. */
const version = 1;

/** Returns the path of the file for a virtual host of a broker. */
export function indexFile(folder: string, url: string): string {
  const places = parseAddresses(url).map(({ host, port, vhost }) => [host, port, vhost]);
  const name = createHash('sha256').update(JSON.stringify(places)).digest('hex').slice(0, 16);
  return join(folder, `dead-letters-${name}.json`);
}

/** @returns undefined if the file is missing, damaged, or of another version. */
export async function readIndexFile(path: string): Promise<FiledState | undefined> {
  try {
    const read = JSON.parse(await readFile(path, 'utf8')) as FiledState & { version: number };
    return read.version === version ? read : undefined;
  } catch {
    // The streams have everything that it has.
    return undefined;
  }
}

/**
 * Writes the file. A reader gets the old one or the new one as a whole. Ids and errors may be personal data, so only this user may
 * read it.
 *
 * @throws Error of the file system.
 */
export async function writeIndexFile(path: string, state: FiledState): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${process.pid}`;
  try {
    await writeFile(next, JSON.stringify({ version, ...state }), { mode: 0o600 });
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}
