import type { Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { detectType } from '../../../../shared/pictures/image/detect.ts';
import { extensionOf } from '../../../../shared/pictures/image/type.ts';
import { foreignFiles, plain } from '../../../support/pictures.ts';

describe('detectType', () => {
  it.each([
    ['image/jpeg', 'jpg', (image: Sharp) => image.jpeg()],
    ['image/png', 'png', (image: Sharp) => image.png()],
    ['image/webp', 'webp', (image: Sharp) => image.webp()],
    ['image/gif', 'gif', (image: Sharp) => image.gif()],
    ['image/avif', 'avif', (image: Sharp) => image.avif({ effort: 0 })],
    ['image/tiff', 'tif', (image: Sharp) => image.tiff()],
  ] as const)('knows %s by its bytes, and that its files end in .%s', async (type, extension, encode) => {
    expect(await detectType(await encode(plain(9, 9)).toBuffer())).toEqual({ type });
    expect(extensionOf(type)).toBe(extension);
  });

  it.each([
    ['an SVG', foreignFiles.svg, /none of these/],
    ['an SVG with an XML declaration', foreignFiles['svg with an XML declaration'], /xml/],
    ['a PDF', foreignFiles.pdf, /^application\/pdf$/],
    ['a HEIC', foreignFiles.heic, /^image\/heic$/],
    ['a ZIP', foreignFiles.zip, /^application\/zip$/],
    ['a text', foreignFiles.text, /none of these/],
    ['a single byte', Buffer.from([0xff]), /none of these/],
    ['no byte', Buffer.alloc(0), /none of these/],
  ])('%s is refused with its real type', async (_what, bytes, found) => {
    expect(await detectType(bytes)).toEqual({ found: expect.stringMatching(found) });
  });
});
