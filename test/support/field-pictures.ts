import { crc32, noise } from './pictures.ts';

/** Pictures as programs and phones really make them, which strict readers refuse. */
export async function fieldPictures(): Promise<Record<string, { type: string; content: Buffer }>> {
  const picture = () => noise(600, 400);
  const png = await picture().png().toBuffer();
  const acTL = chunk('acTL', integers(1, 0));
  const fcTL = chunk(
    'fcTL',
    Buffer.concat([integers(0, 600, 400, 0, 0), Buffer.from([0, 100, 3, 232, 0, 0])]),
  );
  const text = chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), Buffer.alloc(70_000, 65)]));
  const withChunks = (...chunks: Buffer[]) =>
    Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
  const avif = await picture().avif({ effort: 0 }).toBuffer();
  avif.write('mif1', 8, 'latin1');
  const tiff = await picture().tiff({ compression: 'none' }).toBuffer();
  return {
    'a TIFF with its directory at the end': { type: 'image/tiff', content: tiff },
    'a BigTIFF': {
      type: 'image/tiff',
      content: await picture().tiff({ compression: 'none', bigtiff: true }).toBuffer(),
    },
    'a still PNG with acTL': { type: 'image/png', content: withChunks(acTL, fcTL) },
    'a still PNG with acTL after 70 kB of text': { type: 'image/png', content: withChunks(text, acTL, fcTL) },
    'an AVIF of the brand mif1': { type: 'image/avif', content: avif },
    'a JPEG without its end': {
      type: 'image/jpeg',
      content: (await picture().jpeg().toBuffer()).subarray(0, -2),
    },
    'a progressive JPEG without its end': {
      type: 'image/jpeg',
      content: (await picture().jpeg({ progressive: true }).toBuffer()).subarray(0, -2),
    },
    'a large WebP': {
      type: 'image/webp',
      content: await picture().webp({ lossless: true, effort: 0 }).toBuffer(),
    },
  };
}

function integers(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, 4 * index);
  return buffer;
}

/** A chunk of a PNG. */
function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  return Buffer.concat([integers(data.length), named, integers(crc32(named))]);
}
