import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { RejectedError } from '../base/errors.ts';

type Inflate = (content: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const inflates: Readonly<Record<string, Inflate>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: (content, options) => promisify(hasZlibHeader(content) ? inflate : inflateRaw)(content, options),
  br: promisify(brotliDecompress),
};

/**
 * Returns the body without its content encoding: gzip, deflate or br.
 *
 * @param maxBytes of the body before and after, so that a small message cannot fill the memory.
 * @throws RejectedError for another encoding, a larger body, or bytes that are not in that encoding.
 */
export function inflated(content: Buffer, contentEncoding = '', maxBytes: number): Buffer | Promise<Buffer> {
  if (content.length > maxBytes) {
    throw new RejectedError(`body: expected at most ${maxBytes} bytes, got ${content.length}`);
  }
  if (contentEncoding === '') return content;
  const encoding = contentEncoding.trim().toLowerCase();
  // Some clients put the charset here, and kombu puts `binary` for bytes.
  if (/^(identity|binary|(us-)?ascii|utf-?(8|16(le|be)?))?$/.test(encoding)) return content;
  const run = Object.hasOwn(inflates, encoding) ? inflates[encoding] : undefined;
  if (!run) {
    throw new RejectedError(`content_encoding: expected gzip, deflate, br or none, got "${contentEncoding}"`);
  }
  return inflatedBy(run, encoding, content, maxBytes);
}

async function inflatedBy(
  run: Inflate,
  encoding: string,
  content: Buffer,
  maxBytes: number,
): Promise<Buffer> {
  try {
    return await run(content, { maxOutputLength: maxBytes });
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const [expected, got] = tooLarge
      ? [`at most ${maxBytes} bytes`, `more in ${content.length} bytes of ${encoding}`]
      : [encoding, `${content.length} bytes that are not`];
    throw new RejectedError(`body: expected ${expected}, got ${got}`, { cause });
  }
}

/** Some clients send the deflate format itself (RFC 1951) and not zlib's (RFC 1950), which HTTP means by this name. */
function hasZlibHeader(content: Buffer): boolean {
  return content.length > 1 && ((content[0] ?? 0) & 0x0f) === 8 && content.readUInt16BE(0) % 31 === 0;
}
