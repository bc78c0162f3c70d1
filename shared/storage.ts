import {
  GetObjectCommand,
  HeadBucketCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Config } from './config.ts';
import { isNetworkError, RejectedError, UnavailableError } from './errors.ts';

type StorageConfig = Config<'storage'>['storage'];

/** An object of the bucket, read as a whole. */
export interface StoredObject {
  body: Buffer;
  contentType: string | undefined;
}

export interface Storage {
  /** Stores an object under a key, in place of what is there. */
  put(key: string, body: Buffer, contentType: string): Promise<void>;
  /**
   * Reads an object.
   *
   * @param limit the most bytes to read.
   * @returns undefined where there is none.
   * @throws RejectedError where the object is larger.
   */
  get(key: string, limit: number): Promise<StoredObject | undefined>;
  /** A URL under which anyone can read an object: below the public base URL, or signed for an hour at least. */
  url(key: string): Promise<string>;
  /** Resolves when the bucket is there; for health checks. */
  ready(): Promise<void>;
}

/** Signatures made within the same hour are the same, so that a browser can cache what they lead to. */
const signedFor = 3600;

/**
 * S3, or a server that speaks its protocol, over AWS's SDK. Every method throws UnavailableError where the storage is
 * away, slow or overloaded.
 */
export function createStorage(config: StorageConfig): Storage {
  const { S3_BUCKET: Bucket, S3_PUBLIC_URL } = config;
  const client = createS3Client(config);

  return {
    async put(Key, Body, ContentType) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType })).catch(fail);
    },

    async get(Key, limit) {
      try {
        const object = await client.send(new GetObjectCommand({ Bucket, Key }));
        if ((object.ContentLength ?? 0) > limit) {
          object.Body?.transformToWebStream()
            .cancel()
            .catch(() => undefined);
          throw new RejectedError(
            `the object "${Key}": expected at most ${limit} bytes, got ${object.ContentLength}`,
          );
        }
        const body = Buffer.from((await object.Body?.transformToByteArray()) ?? []);
        return { body, contentType: object.ContentType };
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        return fail(error);
      }
    },

    async url(Key) {
      if (S3_PUBLIC_URL) return `${S3_PUBLIC_URL.replace(/\/$/, '')}/${Key}`;
      const signingDate = new Date(Math.floor(Date.now() / 1000 / signedFor) * signedFor * 1000);
      return getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), {
        signingDate,
        expiresIn: signedFor * 2,
      });
    },

    async ready() {
      await client.send(new HeadBucketCommand({ Bucket })).catch((cause: unknown) => {
        throw new UnavailableError('storage', 'the bucket can not be reached', { cause });
      });
    },
  };
}

/** AWS's client, set up for the storage that the settings name. */
export function createS3Client(config: StorageConfig): S3Client {
  const { S3_ENDPOINT, AWS_REGION } = config;
  return new S3Client({
    region: AWS_REGION,
    ...credentials(config),
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 2000, requestTimeout: 20_000, throwOnRequestTimeout: true },
    ...(S3_ENDPOINT && {
      endpoint: S3_ENDPOINT,
      forcePathStyle: true,
      // The SDK's default checksums break servers that only resemble S3.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
  });
}

function credentials(config: StorageConfig) {
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

function fail(error: unknown): never {
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
