// Generated photographs, so that no download is necessary: light, shapes and texture of every size, and a camera's noise.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

const sizes = [
  [1600, 1200],
  [2400, 1600],
  [3264, 2448],
  [4000, 3000],
  [4896, 3264],
  [6000, 4000],
];

/** Writes a set of 2 to 24 megapixels, each size baseline and progressive, into a folder; gives its files. */
export async function makePhotos(folder, { quick = false } = {}) {
  const files = [];
  const chosen = quick ? sizes.filter((_size, index) => index % 2 === 1) : sizes;
  for (const [index, [width, height]] of chosen.entries()) {
    const photo = await makePhoto(width, height, index);
    for (const progressive of [false, true]) {
      const path = join(folder, `${width}x${height}-${progressive ? 'progressive' : 'baseline'}.jpg`);
      // Every other one as a phone that was held upright leaves it.
      const orientation = index % 2 === 0 ? 1 : 6;
      const body = await sharp(photo)
        .withMetadata({ orientation })
        .jpeg({ quality: 90, progressive })
        .toBuffer();
      await writeFile(path, body);
      files.push(path);
    }
  }
  return files;
}

async function makePhoto(width, height, seed) {
  const hue = (turn) => `hsl(${(seed * 67 + turn) % 360}, 55%, ${35 + ((seed * 13 + turn) % 35)}%)`;
  const shapes = Array.from({ length: 60 }, (_, n) => {
    const at = (k, most) => ((((n + 1) * 7919 * k + seed * 104729) % 1000) / 1000) * most;
    const size = height * (0.01 + at(3, 0.12));
    return n % 2
      ? `<ellipse cx="${at(1, width)}" cy="${at(2, height)}" rx="${size}" ry="${size / 2}" fill="${hue(n * 31)}"/>`
      : `<rect x="${at(1, width)}" y="${at(2, height)}" width="${size / 3}" height="${size * 2}" fill="${hue(n * 47)}"/>`;
  });
  const scene = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs><linearGradient id="sky" x2="0.3" y2="1">
    <stop offset="0" stop-color="${hue(200)}"/><stop offset="0.6" stop-color="${hue(30)}"/><stop offset="1" stop-color="${hue(110)}"/>
    </linearGradient></defs><rect width="100%" height="100%" fill="url(#sky)"/>${shapes.join('')}</svg>`,
  );
  const layers = [];
  // Octaves of texture, the finest of some pixels, and at last the sensor's noise in each pixel.
  for (const [cell, sigma] of [...[256, 64, 16, 8, 4].map((each) => [each, 30]), [1, 6]]) {
    const [columns, rows] = [Math.ceil(width / cell), Math.ceil(height / cell)];
    const create = { width: columns, height: rows, channels: 3, background: 'grey' };
    const noise = sharp({ create: { ...create, noise: { type: 'gaussian', mean: 128, sigma } } });
    const raw = await noise.raw().toBuffer();
    const input = await sharp(raw, { raw: { width: columns, height: rows, channels: 3 } })
      .resize(width, height, { fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    layers.push({ input, raw: { width, height, channels: 3 }, blend: 'overlay' });
  }
  return sharp(scene).composite(layers).removeAlpha().png({ compressionLevel: 1 }).toBuffer();
}
