import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { isNetworkError, UnavailableError } from 'warren/functions';
import type { StorageSettings } from './settings.ts';

/**
 * AWS's client for the storage that the settings name.
 *
 * @param silentMs how long the storage may be silent, before or within an answer, in milliseconds.
 */
export function createS3Client(config: StorageSettings, silentMs = 20_000): S3Client {
  const { S3_ENDPOINT, AWS_REGION } = config;
  return new S3Client({
    region: AWS_REGION,
    ...credentials(config),
    maxAttempts: 2,
    requestHandler: {
      ...{ connectionTimeout: 2000, requestTimeout: silentMs, throwOnRequestTimeout: true },
      // For the body: the limit above ends with the headers.
      socketTimeout: silentMs,
    },
    // The SDK's default checksums break servers that only resemble S3, and links to put an object: it would sign the
    // checksum of nothing.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(S3_ENDPOINT && { endpoint: S3_ENDPOINT, forcePathStyle: true }),
  });
}

function credentials(config: StorageSettings) {
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

/** Throws UnavailableError if an error of the SDK means that the storage is unavailable; else the error as it is. */
export function fail(error: unknown): never {
  const away =
    error instanceof S3ServiceException
      ? isOverload(error)
      : isNetworkError(error) || isTimeout(error) || isProxyError(error);
  if (away) throw new UnavailableError('storage', 'the storage does not answer', { cause: error });
  throw error;
}

function isOverload({ $metadata, $retryable, name }: S3ServiceException): boolean {
  const status = $metadata.httpStatusCode ?? 500;
  // A bucket that is not there yet is a deployment under way, not the fault of a message.
  return status >= 500 || status === 429 || $retryable !== undefined || name === 'NoSuchBucket';
}

/** The SDK's own limits. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}

/** A proxy's page is no XML: the SDK can't read it, and only knows the status with which it came. */
function isProxyError(error: unknown): boolean {
  if (!(error instanceof Error && '$metadata' in error)) return false;
  const { httpStatusCode = 0 } = error.$metadata as S3ServiceException['$metadata'];
  return httpStatusCode >= 500;
}
