import type { ByteSource } from './source.ts';

/** Limits for the parts of a file that are copied after its start: their bytes in all, and their number. */
const limits = { bytes: 4 * 1024 * 1024, reads: 64 } as const;

/** A copy of a file that has zeros for the parts that were not read. */
export interface SparseCopy {
  bytes: Buffer;
  /** Reads a part, if it was not read before. Returns false if it ends behind the file or is too large. */
  fill(start: number, length: number): Promise<boolean>;
}

/**
 * Starts a copy of a file. The operating system gives memory only to the parts that are written, so that a copy of 100 MiB takes
 * some KiB.
 *
 * @param start the first bytes of the file.
 */
export function sparseCopy(source: ByteSource, start: Buffer): SparseCopy {
  const bytes = Buffer.alloc(source.size);
  start.copy(bytes);
  const known: (readonly [from: number, to: number])[] = [[0, start.length]];
  const left = { ...limits } as { bytes: number; reads: number };
  return {
    bytes,
    async fill(from, length) {
      const to = from + length;
      if (!(from >= 0 && from <= to && to <= source.size)) return false;
      if (known.some(([first, last]) => first <= from && to <= last)) return true;
      if (length > left.bytes || left.reads === 0) return false;
      left.bytes -= length;
      left.reads -= 1;
      (await source.read(from, length)).copy(bytes, from);
      known.push([from, to]);
      return true;
    },
  };
}
