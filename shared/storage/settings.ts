import { type SettingsValues, urlField } from 'warren/functions';
import * as z from 'zod';

/** Address of the object storage, and how clients reach it. */
export const storageSettings = () =>
  z.object({
    S3_BUCKET: z
      .string()
      .min(3, 'expected the name of a bucket')
      .describe('bucket of the originals and renditions'),
    S3_ENDPOINT: urlField(['http:', 'https:'], 'http://127.0.0.1:9000')
      .optional()
      .describe('address of a storage other than AWS S3'),
    S3_PUBLIC_ENDPOINT: urlField(['http:', 'https:'], 'https://storage.example.com')
      .optional()
      .describe(
        'address of the storage for clients, if it differs from `S3_ENDPOINT`; signed links point to it',
      ),
    S3_PUBLIC_URL: urlField(['http:', 'https:'], 'https://pictures.example.com')
      .optional()
      .describe(
        "base of the renditions' addresses; without it, links are signed and valid for at least an hour",
      ),
    AWS_REGION: z.string().default('us-east-1').describe('region of the bucket'),
    // Without these, the SDK looks for credentials in its usual places.
    AWS_ACCESS_KEY_ID: z.string().optional().describe('access key for the storage'),
    AWS_SECRET_ACCESS_KEY: z.string().optional().describe('secret of the access key'),
    AWS_SESSION_TOKEN: z.string().optional().describe('token of temporary credentials'),
  });

export type StorageSettings = SettingsValues<typeof storageSettings>;
