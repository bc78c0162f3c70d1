import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../../runtime/settings/read.ts';
import { variantSettings } from '../../../../shared/pictures/image/resource.ts';

const read = (PICTURE_VARIANTS?: string) =>
  readSettings({ variants: variantSettings }, { PICTURE_VARIANTS }).variants.PICTURE_VARIANTS;

describe('PICTURE_VARIANTS', () => {
  const quality = { webp: 80, jpeg: 82, avif: 50 };

  it.each([undefined, '', '{}'])('%j means four widths in WebP and JPEG', (text) => {
    expect(read(text)).toEqual({ widths: [160, 320, 800, 1600], formats: ['webp', 'jpeg'], quality });
  });

  it('settings override the defaults one by one', () => {
    expect(read('{"widths": [640], "formats": ["avif"], "quality": {"avif": 40}}')).toEqual({
      ...{ widths: [640], formats: ['avif'], quality: { ...quality, avif: 40 } },
    });
  });

  it.each([
    ['{widths: 3}', /PICTURE_VARIANTS: expected JSON/],
    ['{"widths": []}', /PICTURE_VARIANTS\.widths/],
    ['{"widths": [0]}', /PICTURE_VARIANTS\.widths/],
    ['{"widths": [160.5]}', /PICTURE_VARIANTS\.widths/],
    ['{"widths": [160, 160]}', /expected each width once/],
    ['{"formats": ["gif"]}', /PICTURE_VARIANTS\.formats/],
    ['{"quality": {"webp": 101}}', /PICTURE_VARIANTS\.quality\.webp/],
    ['{"qualities": {"webp": 80}}', /PICTURE_VARIANTS.*qualities/],
  ])('names what is wrong in %s', (text, problem) => {
    expect(() => read(text)).toThrow(problem);
  });
});
