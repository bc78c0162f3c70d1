/**
 * Decodes a ThumbHash (evanw.github.io/thumbhash) to a small blurred picture. It holds the lowest frequencies of
 * luminance, of two colors and of opacity: a cosine transform, half a byte for each.
 *
 * @param hash bytes of the hash.
 */
export function decode(hash) {
  const low = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const high = hash[3] | (hash[4] << 8);
  const part = (from, shift, most) => ((from >> shift) & most) / most;
  const hasAlpha = low >> 23 === 1;
  const longer = hasAlpha ? 5 : 7;
  const [across, down] = high >> 15 ? [longer, high & 7] : [high & 7, longer];

  let next = hasAlpha ? 12 : 10;
  const channel = (constant, scale, nx, ny) => {
    const waves = [];
    for (let y = 0; y < ny; y += 1) {
      for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x += 1) {
        const half = (hash[next >> 1] >> ((next & 1) * 4)) & 15;
        next += 1;
        waves.push([x, y, 2 * scale * (half / 7.5 - 1)]);
      }
    }
    const { cos, PI } = Math;
    return (u, v) =>
      waves.reduce((sum, [x, y, amount]) => sum + amount * cos(PI * u * x) * cos(PI * v * y), constant);
  };
  const signed = (shift) => 2 * part(low, shift, 63) - 1;
  const luminance = channel(part(low, 0, 63), part(low, 18, 31), Math.max(3, across), Math.max(3, down));
  // Colors are slightly stronger than the original, to compensate for their coarse encoding.
  const yellowBlue = channel(signed(6), 1.25 * part(high, 3, 63), 3, 3);
  const redGreen = channel(signed(12), 1.25 * part(high, 9, 63), 3, 3);
  const alpha = hasAlpha ? channel(part(hash[5], 0, 15), (hash[5] >> 4) / 15, 5, 5) : () => 1;

  const width = Math.round(32 * Math.min(1, across / down));
  const height = Math.round(32 * Math.min(1, down / across));
  const image = new ImageData(width, height);
  for (let index = 0; index < width * height; index += 1) {
    const at = [((index % width) + 0.5) / width, (Math.floor(index / width) + 0.5) / height];
    const [l, q] = [luminance(...at), redGreen(...at)];
    const blue = l - (2 / 3) * yellowBlue(...at);
    const red = (3 * l - blue + q) / 2;
    image.data.set(
      [red, red - q, blue, alpha(...at)].map((value) => 255 * Math.max(0, Math.min(1, value))),
      index * 4,
    );
  }
  return image;
}
