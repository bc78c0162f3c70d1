import type { Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { examine } from '../../../../shared/pictures/image/examine.ts';
import { bytesOf } from '../../../../shared/pictures/image/source.ts';
import { extensionOf, namedType } from '../../../../shared/pictures/image/type.ts';
import { foreignFiles, plain } from '../../../support/pictures.ts';

describe('examine', () => {
  it.each([
    ['image/jpeg', 'jpg', (image: Sharp) => image.jpeg()],
    ['image/png', 'png', (image: Sharp) => image.png()],
    ['image/webp', 'webp', (image: Sharp) => image.webp()],
    ['image/gif', 'gif', (image: Sharp) => image.gif()],
    ['image/avif', 'avif', (image: Sharp) => image.avif({ effort: 0 })],
    ['image/tiff', 'tif', (image: Sharp) => image.tiff()],
  ] as const)('knows %s by its bytes, and that its files end in .%s', async (type, extension, encode) => {
    expect(await examine(bytesOf(await encode(plain(9, 9)).toBuffer()))).toEqual({
      type,
      width: 9,
      height: 9,
    });
    expect(extensionOf(type)).toBe(extension);
  });

  it.each([
    ['an SVG', foreignFiles.svg, /none of these/],
    ['an SVG with an XML declaration', foreignFiles['svg with an XML declaration'], /xml/],
    ['a PDF', foreignFiles.pdf, /got application\/pdf$/],
    ['a HEIC', foreignFiles.heic, /got image\/heic$/],
    ['a ZIP', foreignFiles.zip, /got application\/zip$/],
    ['a text', foreignFiles.text, /none of these/],
    ['a single byte', Buffer.from([0xff]), /none of these/],
    ['no byte', Buffer.alloc(0), /none of these/],
  ])('%s is refused with its real type', async (_what, bytes, found) => {
    await expect(examine(bytesOf(bytes))).rejects.toMatchObject({
      name: 'UnacceptedTypeError',
      message: expect.stringMatching(found),
    });
  });
});

describe('namedType', () => {
  it.each(['image/jpg', 'IMAGE/JPEG', ' image/jpeg ', 'image/jpeg; charset=binary', 'image/pjpeg'])(
    'a sender may name JPEG %j',
    (name) => {
      expect(namedType(name)).toBe('image/jpeg');
    },
  );

  it.each(['', 'image/svg+xml', 'constructor', 'image', 'image/heic'])(
    '%j names no accepted type',
    (name) => {
      expect(namedType(name)).toBeUndefined();
    },
  );
});
