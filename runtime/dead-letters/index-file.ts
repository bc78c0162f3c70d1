import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseAddresses } from '../amqp/address.ts';
import type { Columns } from './entry-table.ts';
import type { GoneRun } from './gone-log.ts';
import type { OffsetRange } from './offsets.ts';
import type { LastRead } from './read-new.ts';

/** The part of an index that a file keeps for the next process. */
export interface FiledState {
  /** The last entry and the last mark that were read; undefined if there is none. */
  log?: LastRead | undefined;
  marks?: LastRead | undefined;
  /** Marks of entries that were not read. */
  early: readonly OffsetRange[];
  gone: readonly GoneRun[];
  columns: Columns;
}

/** Changes with the form of the file; a file of another form is not read. */
const version = 2;

type Fields = Partial<Record<string, unknown>>;

const isFields = (given: unknown): given is Fields => typeof given === 'object' && given !== null;
const isText = (given: unknown): given is string => typeof given === 'string';
const isTextOrMissing = (given: unknown) => given === undefined || isText(given);
const isCount = (given: unknown): given is number => Number.isSafeInteger(given) && Number(given) >= 0;
const isList = (given: unknown, isValue: (value: unknown, row: number) => boolean): given is unknown[] =>
  Array.isArray(given) && given.every(isValue);

const isLastRead = (given: unknown) =>
  given === undefined || (isFields(given) && isCount(given['offset']) && isText(given['fingerprint']));
const isRange = (given: unknown) => isList(given, isCount) && given.length === 2;
const isRun = (given: unknown) =>
  isFields(given) &&
  [given['start'], given['first'], given['last']].every(isCount) &&
  [given['ending'], given['to'], given['by']].every(isTextOrMissing) &&
  (given['at'] === undefined || Number.isFinite(given['at']));
const isFailure = (given: unknown) =>
  isFields(given) &&
  [given['queue'], given['reason']].every(isText) &&
  [given['error'], given['place']].every(isTextOrMissing);

function areColumns(given: unknown): given is Columns {
  if (!isFields(given)) return false;
  const { failures, offsets, ids, failureOf, failedAt, bytes } = given;
  if (!isList(failures, isFailure)) return false;
  if (
    !isList(
      offsets,
      (each, row) => isCount(each) && (row === 0 || each > Number((offsets as unknown[])[row - 1])),
    )
  )
    return false;
  const others = [
    isList(ids, isText) && ids,
    isList(failureOf, (each) => isCount(each) && each < failures.length) && failureOf,
    isList(failedAt, (each) => each === null || Number.isFinite(each)) && failedAt,
    isList(bytes, isCount) && bytes,
  ];
  return others.every((each) => each && each.length === offsets.length);
}

/** Written by hand: a library for schemas takes longer to load than the rest of a command. */
function isFiled(given: unknown): given is FiledState {
  if (!isFields(given) || given['version'] !== version) return false;
  const { log, marks, early, gone, columns } = given;
  if (![log, marks].every(isLastRead)) return false;
  return isList(early, isRange) && isList(gone, isRun) && areColumns(columns);
}

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
    const given: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isFiled(given) ? given : undefined;
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
