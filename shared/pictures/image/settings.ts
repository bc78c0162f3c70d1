import { jsonText } from 'warren/functions';
import * as z from 'zod';

const formats = ['webp', 'jpeg', 'avif'] as const;
export type VariantFormat = (typeof formats)[number];

/** The variants that are made of a picture. */
export interface VariantSettings {
  /** Pixels. None is made wider than the original. */
  widths: number[];
  formats: VariantFormat[];
  /** 1 to 100, as each format understands it. */
  quality: Record<VariantFormat, number>;
}

/** The default variants. */
export const defaultVariants: VariantSettings = {
  widths: [160, 320, 800, 1600],
  formats: ['webp', 'jpeg'],
  quality: { webp: 80, jpeg: 82, avif: 50 },
};

const settings = () => {
  const { widths, formats: usual, quality } = defaultVariants;
  const distinct = (what: string) => ({ error: `expected each ${what} once` });
  const percent = z.int().min(1).max(100);
  return z.strictObject({
    widths: z
      .array(z.int().min(1).max(16_383))
      .min(1)
      .max(12)
      .refine(isDistinct, distinct('width'))
      .default(widths),
    formats: z.array(z.enum(formats)).min(1).refine(isDistinct, distinct('format')).default(usual),
    quality: z
      .strictObject({
        webp: percent.default(quality.webp),
        jpeg: percent.default(quality.jpeg),
        avif: percent.default(quality.avif),
      })
      .prefault({}),
  });
};

/**
 * The settings as JSON in the environment; missing fields have their defaults. A function, because making the schema takes
 * time.
 */
export const variantsAsJson = () =>
  jsonText('{"widths": [160, 320], "formats": ["webp", "jpeg"], "quality": {"webp": 80}}')
    .pipe(settings())
    .default(defaultVariants);

function isDistinct(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
