import { deflateSync } from 'node:zlib';
import sharp, { type Color, type Sharp } from 'sharp';

/** A picture of one colour. */
export function plain(width: number, height: number, background: Color = 'teal'): Sharp {
  const channels = typeof background === 'object' && 'alpha' in background ? 4 : 3;
  return sharp({ create: { width, height, channels, background } });
}

/** A red, a green, a blue and a white quarter: whichever way it is turned or mirrored, it shows. */
export async function quarters(width: number, height: number): Promise<Buffer> {
  const [halfWidth, halfHeight] = [Math.round(width / 2), Math.round(height / 2)];
  const quarter = async (background: string, left: number, top: number) => ({
    input: await plain(width - halfWidth, height - halfHeight, background)
      .png()
      .toBuffer(),
    left,
    top,
  });
  return plain(width, height, 'white')
    .composite([
      await quarter('red', 0, 0),
      await quarter('lime', halfWidth, 0),
      await quarter('blue', 0, halfHeight),
    ])
    .png()
    .toBuffer();
}

/** Grey noise, which no encoder makes small. */
export function noise(width: number, height: number): Sharp {
  const size = { width, height, channels: 3 as const, background: 'white' };
  return sharp({ create: { ...size, noise: { type: 'gaussian', mean: 128, sigma: 60 } } });
}

/** Frames of one colour each, shown for 100 ms, 200 ms and so on, three times. */
export async function animation(
  colours: readonly string[],
  width: number,
  height: number,
  format: 'gif' | 'webp',
): Promise<Buffer> {
  const frames = await Promise.all(colours.map((colour) => plain(width, height, colour).raw().toBuffer()));
  const raw = { width, height: height * frames.length, channels: 3 as const, pageHeight: height };
  const delay = colours.map((_colour, index) => (index + 1) * 100);
  return sharp(Buffer.concat(frames), { raw })
    [format]({ delay, loop: 3, effort: format === 'gif' ? 1 : 0 })
    .toBuffer();
}

/** A JPEG with a comment of up to 64 KB. */
export function withComment(jpeg: Buffer, comment: Buffer): Buffer {
  const marker = Buffer.from([0xff, 0xfe, 0, 0]);
  marker.writeUInt16BE(comment.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), marker, comment, jpeg.subarray(2)]);
}

/** Red, green and blue (and alpha, if present) of a pixel. */
export async function pixel(body: Buffer, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(body).raw().toBuffer({ resolveWithObject: true });
  const at = (y * info.width + x) * info.channels;
  return [...data.subarray(at, at + info.channels)];
}

/** Pixels of a small form of a picture: what a viewer sees of it. */
export async function thumbnail(image: Sharp): Promise<Buffer> {
  return sharp(await image.toColourspace('srgb').png().toBuffer())
    .resize(32, 18, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** Mean difference of two pictures' values, of 255. */
export function difference(one: Buffer, other: Buffer): number {
  const sum = one.reduce((total, value, index) => total + Math.abs(value - (other[index] ?? 0)), 0);
  return sum / one.length;
}

/** A PNG of one colour: a small file, and a giant when it is decoded. Of the greatest, it is the upper part. */
export function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(Math.min((1 + Math.ceil(width / 8)) * height, 50_000_000)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** PNG's checksum; Node 20 has none of its own. */
export function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** The first bytes of files that we take for what they are, and refuse. */
export const foreignFiles = {
  svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
  'svg with an XML declaration': Buffer.from(
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
  ),
  pdf: Buffer.from('%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n', 'latin1'),
  heic: Buffer.from('\0\0\0\u0018ftypheic\0\0\0\0mif1heic', 'latin1'),
  text: Buffer.from('not a picture at all'),
  zip: Buffer.from('PK\u0003\u0004\u0014\0\0\0\b\0', 'latin1'),
};
