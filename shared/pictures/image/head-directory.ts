import type { ByteSource } from './source.ts';
import { sparseCopy } from './sparse.ts';
import { tiffForm } from './tiff.ts';

/** Bytes of a value by its type (TIFF 6.0, section 2; 16 to 18 are BigTIFF's). */
const valueBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Encoders write values beside their directory, so that one read has most of both. */
const neighborhood = 16 * 1024;

/**
 * Copies the first directory of a TIFF with its values, wherever in the file they are: libtiff writes a directory behind the
 * pixels. The copy has no further directories.
 *
 * @param start the first bytes of the file.
 */
export async function readDirectory(source: ByteSource, start: Buffer): Promise<Buffer> {
  const { bytes, fill } = sparseCopy(source, start);
  const form = tiffForm(bytes);
  const { directory } = form;
  await fill(directory, Math.min(neighborhood, source.size - directory));
  if (!(await fill(directory, form.countBytes))) return bytes;
  const entries = directory + form.countBytes;
  const end = entries + form.count(directory) * form.entry;
  if (!(await fill(entries, end - entries + form.inline))) return bytes;
  for (let at = entries; at < end; at += form.entry) {
    const length = (valueBytes[form.u16(at + 2)] ?? 1) * form.value(at + 4);
    if (length > form.inline) await fill(form.value(at + form.entry - form.inline), length);
  }
  // The offset of the next directory.
  bytes.fill(0, end, end + form.inline);
  return bytes;
}
