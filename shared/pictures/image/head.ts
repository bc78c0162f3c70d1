import { readBoxes } from './head-boxes.ts';
import { readChunks } from './head-chunks.ts';
import { readDirectory } from './head-directory.ts';
import type { ByteSource } from './source.ts';
import { isTiff } from './tiff.ts';

/** Bytes of a file's start that are read, in the order of the tries. */
const tries = [64 * 1024, 1024 * 1024, 4 * 1024 * 1024] as const;

/**
 * Reads the parts of a file that a decoder needs for a picture's type and size, with more of its start each time: most
 * pictures need only the first, and a few begin with much metadata.
 */
export async function* readHeads(source: ByteSource): AsyncGenerator<Buffer, void, void> {
  for (const length of tries) {
    const start = await source.read(0, length);
    yield await withFarParts(source, start);
    if (source.size <= length) return;
  }
}

async function withFarParts(source: ByteSource, start: Buffer): Promise<Buffer> {
  if (start.length >= source.size) return start;
  if (isTiff(start)) return readDirectory(source, start);
  if (start.toString('latin1', 4, 8) === 'ftyp') return readBoxes(source, start);
  if (start.toString('latin1', 0, 4) === 'RIFF') return readChunks(source, start);
  return start;
}
