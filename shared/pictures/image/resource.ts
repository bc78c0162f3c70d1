import { resource } from 'warren/functions';
import * as z from 'zod';
import { variantsAsJson } from './settings.ts';

/** The variants of each picture. */
export const variantSettings = () =>
  z.object({
    PICTURE_VARIANTS: variantsAsJson().describe(
      'JSON with any of `widths`, `formats` (`webp`, `jpeg`, `avif`) and `quality` by format',
    ),
  });

/** The variants that `resize-picture` makes. */
export const variants = resource(variantSettings, ({ PICTURE_VARIANTS }) => PICTURE_VARIANTS);
