// How near the chain of widths comes to resizing the decoded picture at once: SSIM, before encoding.
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { register } from 'tsx/esm/api';

const files = JSON.parse(process.argv[2]);
const widths = [160, 320, 800, 1600];
register();
const { chain } = await import('../../shared/pictures/image/chain.ts');
const { inspect } = await import('../../shared/pictures/image/inspect.ts');

const rows = [];
for (const file of files) {
  const body = await readFile(file);
  const whole = await sharp(body).autoOrient().raw().toBuffer({ resolveWithObject: true });
  for await (const { data, width, height, channels } of chain(body, await inspect(body), widths)) {
    const size = { width, height, fit: 'fill' };
    const pixels = (image) => image.removeAlpha().greyscale().raw().toBuffer();
    const direct = await sharp(whole.data, { raw: whole.info }).resize(size).raw().toBuffer();
    const reference = await pixels(sharp(direct, { raw: { width, height, channels: whole.info.channels } }));
    const ours = await pixels(sharp(data, { raw: { width, height, channels } }));
    const naive = await pixels(sharp(await sharp(body).autoOrient().resize(size).png().toBuffer()));
    rows.push({
      width,
      ours: ssim(reference, ours, width, height),
      naive: ssim(reference, naive, width, height),
    });
  }
}
console.log(JSON.stringify(rows));

/** Structural similarity (Wang et al., 2004) of two grey pictures: the mean over windows of 8 x 8, four pixels apart. */
function ssim(one, other, width, height) {
  const [c1, c2, side] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2, 8];
  let [total, windows] = [0, 0];
  for (let top = 0; top + side <= height; top += 4) {
    for (let left = 0; left + side <= width; left += 4) {
      let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
      for (let y = top; y < top + side; y += 1) {
        for (let x = left; x < left + side; x += 1) {
          const [p, q] = [one[y * width + x], other[y * width + x]];
          a += p;
          b += q;
          aa += p * p;
          bb += q * q;
          ab += p * q;
        }
      }
      const n = side * side;
      const [meanA, meanB] = [a / n, b / n];
      const [varianceA, varianceB, covariance] = [
        aa / n - meanA ** 2,
        bb / n - meanB ** 2,
        ab / n - meanA * meanB,
      ];
      total +=
        ((2 * meanA * meanB + c1) * (2 * covariance + c2)) /
        ((meanA ** 2 + meanB ** 2 + c1) * (varianceA + varianceB + c2));
      windows += 1;
    }
  }
  return total / windows;
}
