import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { RejectedError, UnavailableError } from 'warren/functions';
import { createS3Client, fail } from './s3.ts';
import type { StorageSettings } from './settings.ts';

/** An object of the bucket, read as a whole. */
export interface StoredObject {
  body: Buffer;
  contentType: string | undefined;
}

export interface Storage {
  /**
   * Stores an object under a key, in place of what is there.
   *
   * @param settings what goes along when it is read: `cacheControl` as in HTTP, default nothing.
   */
  put(key: string, body: Buffer, contentType: string, settings?: { cacheControl?: string }): Promise<void>;
  /**
   * Reads an object.
   *
   * @param limit most bytes to read.
   * @returns undefined if there is none.
   * @throws RejectedError if the object is larger.
   */
  get(key: string, limit: number): Promise<StoredObject | undefined>;
  /** The size of an object in bytes; undefined if there is none. */
  size(key: string): Promise<number | undefined>;
  /** The first bytes of an object that is not empty, at most `length`; undefined if there is none. */
  start(key: string, length: number): Promise<Buffer | undefined>;
  /** Removes an object; one that is not there is fine. */
  remove(key: string): Promise<void>;
  /** The keys that begin so. */
  list(prefix: string): Promise<string[]>;
  /**
   * A URL to which anyone can PUT one object of just this type and size. Servers that only resemble S3 may take others.
   *
   * @param seconds how long it is good for.
   */
  putUrl(key: string, object: { contentType: string; bytes: number }, seconds: number): Promise<string>;
  /** A URL under which anyone can read an object: below the public base URL, or signed for an hour at least. */
  url(key: string): Promise<string>;
  /** Resolves when the bucket is there; for health checks. */
  ready(): Promise<void>;
}

/** Signatures made within the same hour are the same, so that a browser can cache what they lead to. */
const signedFor = 3600;

/**
 * S3, or a server with the same protocol, over AWS's SDK. Every method throws UnavailableError if the storage is unavailable,
 * slow or overloaded.
 *
 * @param silentMs as for `createS3Client`.
 */
export function createStorage(config: StorageSettings, silentMs?: number): Storage {
  const { S3_BUCKET: Bucket, S3_PUBLIC_URL, S3_PUBLIC_ENDPOINT } = config;
  const client = createS3Client(config, silentMs);
  // A signature holds for the host that it names, which in a network of containers is not the one that we use.
  const signer = S3_PUBLIC_ENDPOINT ? createS3Client({ ...config, S3_ENDPOINT: S3_PUBLIC_ENDPOINT }) : client;

  return {
    async put(Key, Body, ContentType, { cacheControl } = {}) {
      const CacheControl = cacheControl;
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType, CacheControl })).catch(fail);
    },

    async get(Key, limit) {
      try {
        const object = await client.send(new GetObjectCommand({ Bucket, Key }));
        const { bytes, body } = await readUpTo(limit, object);
        if (body) return { body, contentType: object.ContentType };
        throw new RejectedError(`the object "${Key}": expected at most ${limit} bytes, got ${bytes}`);
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        return fail(error);
      }
    },

    async size(Key) {
      const head = await client.send(new HeadObjectCommand({ Bucket, Key })).catch(unlessMissing);
      return head?.ContentLength;
    },

    async start(Key, length) {
      const Range = `bytes=0-${length - 1}`;
      const object = await client.send(new GetObjectCommand({ Bucket, Key, Range })).catch(unlessMissing);
      return object && Buffer.from((await object.Body?.transformToByteArray().catch(fail)) ?? []);
    },

    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key })).catch(unlessMissing);
    },

    async list(Prefix) {
      const keys: string[] = [];
      for (let token: string | undefined; ; ) {
        const page = await client
          .send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken: token }))
          .catch(fail);
        keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
        token = page.NextContinuationToken;
        if (token === undefined) return keys;
      }
    },

    async putUrl(Key, { contentType, bytes }, expiresIn) {
      const command = new PutObjectCommand({
        ...{ Bucket, Key },
        ...{ ContentType: contentType, ContentLength: bytes },
      });
      // Not signed unless asked for.
      return getSignedUrl(signer, command, {
        expiresIn,
        signableHeaders: new Set(['host', 'content-type', 'content-length']),
      });
    },

    async url(Key) {
      if (S3_PUBLIC_URL) return `${S3_PUBLIC_URL.replace(/\/$/, '')}/${Key}`;
      const signingDate = new Date(Math.floor(Date.now() / 1000 / signedFor) * signedFor * 1000);
      return getSignedUrl(signer, new GetObjectCommand({ Bucket, Key }), {
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

/** Reads a body unless it is larger than that, announced or not: an answer in chunks announces nothing. */
async function readUpTo(
  limit: number,
  { Body, ContentLength = 0 }: GetObjectCommandOutput,
): Promise<{ bytes: number; body?: Buffer }> {
  const stream = (Body ?? Readable.from([])) as Readable;
  if (ContentLength > limit) {
    stream.destroy();
    return { bytes: ContentLength };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop cuts the rest off.
    if (bytes > limit) return { bytes };
    chunks.push(chunk);
  }
  return { bytes, body: Buffer.concat(chunks) };
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof NoSuchKey || error instanceof NotFound) return undefined;
  return fail(error);
}
