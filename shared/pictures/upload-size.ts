import { resource } from 'warren/functions';
import * as z from 'zod';
import { maxOriginalBytes } from './originals.ts';

/** The size limit for an upload. */
export const uploadSettings = () =>
  z.object({
    UPLOAD_MAX_BYTES: z.coerce
      .number('expected a number of bytes')
      .int('expected a whole number of bytes')
      .min(1, 'expected at least 1 byte')
      .max(maxOriginalBytes, `expected at most ${maxOriginalBytes}, which is all that is read of an original`)
      .default(maxOriginalBytes)
      .describe('largest upload that a presigned address accepts, in bytes'),
  });

/** Size limit of an upload, in bytes. */
export const maxUploadBytes = resource(uploadSettings, ({ UPLOAD_MAX_BYTES }) => UPLOAD_MAX_BYTES);
