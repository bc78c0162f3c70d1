/** How the directories of a TIFF are written (TIFF 6.0, section 2; BigTIFF has wider fields). */
export interface TiffForm {
  u16: (at: number) => number;
  /** Position of the first directory. */
  directory: number;
  countBytes: number;
  count: (at: number) => number;
  /** Bytes of an entry: tag, type, number of values, and the value or its position. */
  entry: number;
  value: (at: number) => number;
  /** Bytes of a value that its entry contains. */
  inline: number;
}

/** Whether a file begins as a TIFF, or as a BigTIFF (43 in place of 42), in one of both orders of bytes. */
export const isTiff = (start: Buffer): boolean => /^(II[*+]\0|MM\0[*+])/.test(start.toString('latin1', 0, 4));

/** @param bytes the start of a TIFF, or all. */
export function tiffForm(bytes: Buffer): TiffForm {
  const little = bytes.readUInt8(0) === 0x49;
  const u16 = (at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const u64 = (at: number) => Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  return u16(2) === 43
    ? { u16, directory: u64(8), countBytes: 8, count: u64, entry: 20, value: u64, inline: 8 }
    : { u16, directory: u32(4), countBytes: 2, count: u16, entry: 12, value: u32, inline: 4 };
}

/** The entries of the first directory: each tag, and the position of its entry. None if the file ends before the directory does. */
export function readEntries(bytes: Buffer): { tag: number; at: number }[] {
  if (bytes.length < 16) return [];
  const { u16, directory, countBytes, count, entry } = tiffForm(bytes);
  const first = directory + countBytes;
  if (first > bytes.length) return [];
  const entries = count(directory);
  if (first + entries * entry > bytes.length) return [];
  return Array.from({ length: entries }, (_, index) => first + index * entry).map((at) => ({
    tag: u16(at),
    at,
  }));
}

/** Whether the pixels of a TIFF are in tiles (TIFF 6.0, section 15), not in strips. */
export const isTiled = (bytes: Buffer): boolean => readEntries(bytes).some(({ tag }) => tag === 322);
