import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
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

/** A column of thousands of values, for which a schema of each value would be slow. */
const column = <Value>(isValue: (value: unknown, row: number, all: readonly unknown[]) => boolean) =>
  z.custom<Value[]>((given) => Array.isArray(given) && given.every(isValue));
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const text = z.string();
const lastRead = z.object({ offset: z.int().min(0), fingerprint: text }).optional();
const columns = z
  .object({
    failures: z.array(
      z.object({ queue: text, reason: text, error: text.optional(), place: text.optional() }),
    ),
    offsets: column<number>((each, row, all) => isCount(each) && (row === 0 || each > Number(all[row - 1]))),
    ids: column<string>((each) => typeof each === 'string'),
    failureOf: column<number>(isCount),
    failedAt: column<number | null>((each) => each === null || Number.isFinite(each)),
    bytes: column<number>(isCount),
  })
  .refine(({ failures, offsets, failureOf, ...others }) => {
    const isWhole = [failureOf, ...Object.values(others)].every(({ length }) => length === offsets.length);
    return isWhole && failureOf.every((position) => position < failures.length);
  });
const filed = z.object({
  version: z.literal(version),
  log: lastRead,
  marks: lastRead,
  early: z.array(z.tuple([z.int().min(0), z.int().min(0)])),
  columns,
});

/** Returns the path of the file for a virtual host of a broker. */
export function indexFile(folder: string, url: string): string {
  return join(folder, `dead-letters-${vhostKey(url)}.json`);
}

/** Identifies the virtual host of a broker in the name of a file. */
export function vhostKey(url: string): string {
  const places = parseAddresses(url).map(({ host, port, vhost }) => [host, port, vhost]);
  return createHash('sha256').update(JSON.stringify(places)).digest('hex').slice(0, 16);
}

/** @returns undefined if the file is missing, damaged, or of another version. */
export async function readIndexFile(path: string): Promise<FiledState | undefined> {
  try {
    return filed.parse(JSON.parse(await readFile(path, 'utf8')));
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
  // Neither a link nor a file of another process, which may have the same id in another container.
  const next = `${path}.${randomUUID()}`;
  try {
    await writeFile(next, JSON.stringify({ version, ...state }), { mode: 0o600, flag: 'wx' });
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}
