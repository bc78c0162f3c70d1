import type { Storage } from '../../storage/storage.ts';

/** A file that is read in parts. */
export interface ByteSource {
  /** Bytes of the file. */
  size: number;
  /** Reads `length` bytes from `start` on, fewer at the end of the file. */
  read(start: number, length: number): Promise<Buffer>;
}

/** A file in memory. */
export function bytesOf(body: Buffer): ByteSource {
  return { size: body.length, read: async (start, length) => body.subarray(start, start + length) };
}

/**
 * An object of the bucket, of which only the parts that are asked for are read.
 *
 * @returns undefined if there is no object with this key.
 * @throws UnavailableError if the storage is unavailable, also from `read`.
 */
export async function objectOf(
  storage: Pick<Storage, 'read' | 'size'>,
  key: string,
): Promise<ByteSource | undefined> {
  const size = await storage.size(key);
  if (size === undefined) return undefined;
  return {
    size,
    async read(start, length) {
      // No range of an empty object can be served.
      if (start >= size) return Buffer.alloc(0);
      return (await storage.read(key, { start, length: Math.min(length, size - start) })) ?? Buffer.alloc(0);
    },
  };
}
