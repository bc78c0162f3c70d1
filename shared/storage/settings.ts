import { type SettingsValues, urlField } from 'warren/functions';
import { z } from 'zod';

/** Where objects are stored, and how clients reach them. */
export const storageSettings = () =>
  z.object({
    S3_BUCKET: z.string().min(3, 'expected the name of a bucket'),
    S3_ENDPOINT: urlField(['http:', 'https:'], 'http://127.0.0.1:9000').optional(),
    /** Address of the storage for clients outside, if it differs from S3_ENDPOINT: signed links point to it. */
    S3_PUBLIC_ENDPOINT: urlField(['http:', 'https:'], 'https://storage.example.com').optional(),
    S3_PUBLIC_URL: urlField(['http:', 'https:'], 'https://pictures.example.com').optional(),
    AWS_REGION: z.string().default('us-east-1'),
    /** Without these, the SDK looks for credentials in its usual places. */
    AWS_ACCESS_KEY_ID: z.string().optional(),
    AWS_SECRET_ACCESS_KEY: z.string().optional(),
    AWS_SESSION_TOKEN: z.string().optional(),
  });

export type StorageSettings = SettingsValues<typeof storageSettings>;
