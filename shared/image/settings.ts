import { z } from 'zod';

/** What renditions are made of a picture. */
const settings = z.strictObject({
  /** Pixels. None is made wider than the original. */
  widths: z
    .array(z.int().min(1).max(16_383))
    .min(1)
    .max(12)
    .refine(isDistinct, { error: 'expected each width once' })
    .default([160, 320, 800, 1600]),
  formats: z
    .array(z.enum(['webp', 'jpeg', 'avif']))
    .min(1)
    .refine(isDistinct, { error: 'expected each format once' })
    .default(['webp', 'jpeg']),
  /** 1 to 100, as each format understands it. */
  quality: z
    .strictObject({
      webp: z.int().min(1).max(100).default(80),
      jpeg: z.int().min(1).max(100).default(82),
      avif: z.int().min(1).max(100).default(50),
    })
    .prefault({}),
});

export type VariantSettings = z.output<typeof settings>;
export type VariantFormat = VariantSettings['formats'][number];

/** What is made where nothing else is asked for. */
export const defaultVariants: VariantSettings = settings.parse({});

/** The settings as JSON in the environment; what it leaves out is as by default. */
export const variantsAsJson = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.issues.push({
        code: 'custom',
        input: text,
        message:
          'expected JSON: {"widths": [160, 320], "formats": ["webp", "jpeg"], "quality": {"webp": 80}}',
      });
      return z.NEVER;
    }
  })
  .pipe(settings)
  .default(defaultVariants);

function isDistinct(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
