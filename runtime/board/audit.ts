import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import type { Log } from '../base/log.ts';
import type { Audit, AuditEntry } from './api-job-types.ts';

/** Bytes of a file, after which a new one begins. The last one is kept. */
const defaultMaxBytes = 5_000_000;
/** Entries in memory, for a board without a file. */
const maxKept = 1000;
/** Characters of a detail; a filter may have megabytes of ids. */
const maxDetail = 2000;

export interface AuditOptions {
  /** Path of a file with a line of JSON for each entry, default none: the entries are in memory and in the log only. */
  file?: string | undefined;
  log: Log;
  /** Bytes of the file, default 5 MB; the one before it is kept as `<file>.1`. */
  maxBytes?: number | undefined;
}

/** Records who did what and when: in the log, and in a file that later boards read. */
export class AuditLog {
  readonly #options: AuditOptions;
  readonly #oneByOne = pLimit(1);
  #kept: AuditEntry[] = [];
  #isRead = false;
  #isBroken = false;
  /** What the next line begins with: a process that was killed may have left a part of one. */
  #separator = '';
  #lastAt = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /**
   * Adds an entry. It resolves when the entry is on the disk, so that no action begins without it.
   *
   * A file that cannot be written is logged once, and the log has all entries.
   */
  async add(user: string, action: string, detail: Record<string, unknown>): Promise<void> {
    // Each has a time of its own, because the next page begins before the time of the last entry.
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    const entry: AuditEntry = {
      at: new Date(this.#lastAt).toISOString(),
      user,
      action,
      detail: fitting(detail),
    };
    this.#options.log.info({ audit: entry }, 'audit');
    await this.#oneByOne(async () => {
      await this.#read();
      this.#kept.push(entry);
      if (this.#kept.length > maxKept) this.#kept.shift();
      await this.#append(`${JSON.stringify(entry)}\n`).catch((error: unknown) => {
        if (!this.#isBroken) this.#options.log.warn({ err: error }, 'cannot write the audit file');
        this.#isBroken = true;
      });
    });
  }

  /**
   * Returns the latest entries, the latest first.
   *
   * @param before only entries before this time, in ISO 8601.
   */
  async latest(limit: number, before?: string): Promise<Audit> {
    await this.#oneByOne(() => this.#read());
    const found = before === undefined ? this.#kept : this.#kept.filter(({ at }) => at < before);
    return { entries: found.slice(-limit).reverse() };
  }

  /** Waits for the entries that are being written. */
  async close(): Promise<void> {
    await this.#oneByOne(async () => undefined);
  }

  async #read(): Promise<void> {
    const { file } = this.#options;
    if (this.#isRead) return;
    this.#isRead = true;
    if (file === undefined) return;
    const texts = await Promise.all(
      [`${file}.1`, file].map((each) => readFile(each, 'utf8').catch(() => '')),
    );
    this.#kept = texts.flatMap((text) => text.split('\n').flatMap(entryOf)).slice(-maxKept);
    this.#separator = /[^\n]$/.test(texts[1] ?? '') ? '\n' : '';
  }

  async #append(line: string): Promise<void> {
    const { file, maxBytes = defaultMaxBytes } = this.#options;
    if (file === undefined) return;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const size = await stat(file).then(
      ({ size: bytes }) => bytes,
      () => 0,
    );
    if (size > 0 && size + Buffer.byteLength(line) > maxBytes) await rename(file, `${file}.1`);
    const handle = await open(file, 'a', 0o600);
    try {
      await handle.appendFile(this.#separator + line);
      this.#separator = '';
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}

/** A process that is killed may leave a part of a line. */
function entryOf(line: string): AuditEntry[] {
  try {
    const entry = JSON.parse(line) as Partial<AuditEntry> | null;
    return typeof entry?.at === 'string' ? [entry as AuditEntry] : [];
  } catch {
    return [];
  }
}

function fitting(detail: Record<string, unknown>): Record<string, unknown> {
  const short = (value: unknown): unknown => {
    const text = JSON.stringify(value);
    return text !== undefined && text.length > maxDetail ? `${text.slice(0, maxDetail)}…` : value;
  };
  return Object.fromEntries(Object.entries(detail).map(([name, value]) => [name, short(value)]));
}
