import pLimit from 'p-limit';
import { RejectedError, UnavailableError } from '../base/errors.ts';
import { checkNumbers } from '../base/numbers.ts';
import type { ClaimStore } from './store.ts';

/** Requests at a time, because a batch may have thousands of messages. */
const atATime = 16;

interface Sending {
  abortSignal: AbortSignal;
}

/** The parts of `S3` of the package `@aws-sdk/client-s3` that this module needs. */
export interface S3Like {
  putObject(input: { Bucket: string; Key: string; Body: Buffer }, options: Sending): Promise<unknown>;
  getObject(
    input: { Bucket: string; Key: string },
    options: Sending,
  ): Promise<{
    ContentLength?: number | undefined;
    Body?: { transformToByteArray(): Promise<Uint8Array>; destroy?(): unknown } | undefined;
  }>;
  listObjectsV2(
    input: { Bucket: string; Prefix: string; ContinuationToken?: string },
    options: Sending,
  ): Promise<{
    Contents?: { Key?: string | undefined; LastModified?: Date | undefined }[] | undefined;
    NextContinuationToken?: string | undefined;
  }>;
  deleteObject(input: { Bucket: string; Key: string }, options: Sending): Promise<unknown>;
}

export interface S3ClaimsOptions {
  s3: S3Like;
  bucket: string;
  /** Prefix of the keys, default `claims/`. Nothing else may be stored under it. */
  prefix?: string | undefined;
  /** Limit of each request in milliseconds, default 10000. */
  timeoutMs?: number | undefined;
}

/**
 * Stores large bodies in a bucket of S3. The login needs `s3:PutObject`, `s3:GetObject`, `s3:DeleteObject` and `s3:ListBucket`:
 * without the last, S3 reports a missing body as a missing right.
 *
 * @returns the store. It throws UnavailableError if S3 does not do what it is asked for, because that is never the message's fault.
 * @throws WarrenError ERR_CONFIG if `timeoutMs` is wrong.
 */
export function s3Claims(options: S3ClaimsOptions): ClaimStore {
  checkNumbers(options, { timeoutMs: { least: 1, whole: true } });
  const { s3, bucket: Bucket, prefix: Prefix = 'claims/', timeoutMs = 10_000 } = options;
  const limit = pLimit(atATime);
  const send = <Result>(request: (options: Sending) => Promise<Result>) =>
    limit(() => request({ abortSignal: AbortSignal.timeout(timeoutMs) }).catch(failed));
  return {
    async put(key, Body) {
      await send((sending) => s3.putObject({ Bucket, Key: Prefix + key, Body }, sending));
    },
    get: (key, maxBytes) =>
      send(async (sending) => {
        const found = await s3.getObject({ Bucket, Key: Prefix + key }, sending).catch(missing);
        if (!found?.Body) return undefined;
        if ((found.ContentLength ?? 0) > maxBytes) {
          // An unread body would keep its connection.
          found.Body.destroy?.();
          throw new RejectedError(`body: expected at most ${maxBytes} bytes, got ${found.ContentLength}`);
        }
        return Buffer.from(await found.Body.transformToByteArray());
      }),
    async remove(before) {
      let [removed, ContinuationToken]: [number, string | undefined] = [0, undefined];
      do {
        const page: Awaited<ReturnType<S3Like['listObjectsV2']>> = await send((sending) =>
          s3.listObjectsV2({ Bucket, Prefix, ...(ContinuationToken && { ContinuationToken }) }, sending),
        );
        const old = (page.Contents ?? []).filter(({ LastModified }) => LastModified && LastModified < before);
        await Promise.all(
          old.map(({ Key = '' }) => send((sending) => s3.deleteObject({ Bucket, Key }, sending))),
        );
        removed += old.length;
        // Keys begin with their day, so that all others are younger.
        ContinuationToken = old.length > 0 ? page.NextContinuationToken : undefined;
      } while (ContinuationToken !== undefined);
      return removed;
    },
  };
}

/** Returns nothing for an object that S3 does not have. */
function missing(error: unknown): undefined {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  if ($metadata?.httpStatusCode === 404 && (error as Error).name === 'NoSuchKey') return undefined;
  throw error;
}

function failed(cause: unknown): never {
  if (cause instanceof RejectedError) throw cause;
  throw new UnavailableError('claims', 'the storage of large bodies does not answer as it should', { cause });
}
