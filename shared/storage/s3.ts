import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { StorageSettings } from './settings.ts';

/** How long a request to the storage may take, in milliseconds. */
export interface StorageLimits {
  /** How long the storage may be silent, before or within an answer. Default 4000: two tries fit the time of an HTTP request. */
  silentMs?: number;
  /** Limit for each request, with its retry and its body. Default 10,000. */
  requestMs?: number;
  /** Limit for reading a whole object. Default 25,000. */
  objectMs?: number;
}

/** AWS's client for the storage that the settings name. */
export function createS3Client(config: StorageSettings, silentMs = 4000): S3Client {
  const { S3_ENDPOINT, AWS_REGION } = config;
  return new S3Client({
    region: AWS_REGION,
    ...credentials(config),
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: 2000,
      // A limit for silence only: a body may take longer, and each request has a limit of its own.
      socketTimeout: silentMs,
    },
    // The SDK's default checksums break servers that only resemble S3. They also break presigned uploads, because the SDK would
    // sign the checksum of an empty body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(S3_ENDPOINT && { endpoint: S3_ENDPOINT, forcePathStyle: true }),
  });
}

function credentials(config: StorageSettings): Pick<S3ClientConfig, 'credentials'> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = config;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) return {};
  return {
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    },
  };
}
