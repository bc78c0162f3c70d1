import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { RejectedError, UnavailableError } from 'warren/functions';
import { readUpTo } from './body.ts';
import { fail, unlessMissing } from './failures.ts';
import { createS3Client, type StorageLimits } from './s3.ts';
import type { StorageSettings } from './settings.ts';

/** An object of the bucket, read as a whole. */
export interface StoredObject {
  body: Buffer;
  contentType: string | undefined;
}

export interface Storage {
  /**
   * Stores an object under a key, and replaces an existing one.
   *
   * @param settings `cacheControl` is sent when the object is read, as in HTTP; default none.
   */
  put(key: string, body: Buffer, contentType: string, settings?: { cacheControl?: string }): Promise<void>;
  /**
   * Reads an object.
   *
   * @param limit maximum number of bytes.
   * @returns undefined if there is none.
   * @throws RejectedError if the object is larger.
   */
  get(key: string, limit: number): Promise<StoredObject | undefined>;
  /** The size of an object in bytes; undefined if there is none. */
  size(key: string): Promise<number | undefined>;
  /** The bytes of an object from `start` on, fewer than `length` at its end; undefined if there are none. */
  read(key: string, range: { start: number; length: number }): Promise<Buffer | undefined>;
  /** Removes an object. A missing one is no error. */
  remove(key: string): Promise<void>;
  /** The keys with a prefix. */
  list(prefix: string): Promise<string[]>;
  /**
   * A URL to which any client can PUT one object of exactly this type and size. Servers that only resemble S3 may accept others.
   *
   * @param seconds validity of the URL.
   */
  putUrl(key: string, object: { contentType: string; bytes: number }, seconds: number): Promise<string>;
  /** A URL at which any client can read an object: below the public base URL, or signed for at least an hour. */
  url(key: string): Promise<string>;
  /** Resolves if the bucket exists, for health checks; throws UnavailableError otherwise. */
  ready(): Promise<void>;
}

/** Seconds for which signatures are the same, so that a browser can cache the object. */
const signedFor = 3600;

/**
 * S3, or a server with the same protocol, over AWS's SDK. Every method throws UnavailableError if the storage is unavailable,
 * overloaded, refuses access, or does not end its answer in time.
 */
export function createStorage(config: StorageSettings, limits: StorageLimits = {}): Storage {
  const { silentMs, requestMs = 10_000, objectMs = 25_000 } = limits;
  const { S3_BUCKET: Bucket, S3_PUBLIC_URL, S3_PUBLIC_ENDPOINT } = config;
  const client = createS3Client(config, silentMs);
  // A signature is valid for its host. In a network of containers, clients use another host than this process.
  const signer = S3_PUBLIC_ENDPOINT ? createS3Client({ ...config, S3_ENDPOINT: S3_PUBLIC_ENDPOINT }) : client;

  const limited = (ms = requestMs) => ({ abortSignal: AbortSignal.timeout(ms) });

  return {
    async put(Key, Body, ContentType, { cacheControl } = {}) {
      const CacheControl = cacheControl;
      const command = new PutObjectCommand({ Bucket, Key, Body, ContentType, CacheControl });
      await client.send(command, limited()).catch(fail);
    },

    async get(Key, limit) {
      const within = limited(objectMs);
      const object = await client.send(new GetObjectCommand({ Bucket, Key }), within).catch(unlessMissing);
      if (!object) return undefined;
      const { bytes, body } = await readUpTo(limit, object, within.abortSignal).catch(fail);
      if (body) return { body, contentType: object.ContentType };
      throw new RejectedError(`the object "${Key}": expected at most ${limit} bytes, got ${bytes}`);
    },

    async size(Key) {
      const command = new HeadObjectCommand({ Bucket, Key });
      return (await client.send(command, limited()).catch(unlessMissing))?.ContentLength;
    },

    async read(Key, { start, length }) {
      const within = limited();
      const command = new GetObjectCommand({ Bucket, Key, Range: `bytes=${start}-${start + length - 1}` });
      const object = await client.send(command, within).catch(unlessMissing);
      return object && (await readUpTo(length, object, within.abortSignal).catch(fail)).body;
    },

    async remove(Key) {
      await client.send(new DeleteObjectCommand({ Bucket, Key }), limited()).catch(unlessMissing);
    },

    async list(Prefix) {
      const keys: string[] = [];
      for (let token: string | undefined; ; ) {
        const command = new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken: token });
        const page = await client.send(command, limited()).catch(fail);
        keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
        token = page.NextContinuationToken;
        if (token === undefined) return keys;
      }
    },

    async putUrl(Key, { contentType, bytes }, expiresIn) {
      const command = new PutObjectCommand({
        Bucket,
        Key,
        ContentType: contentType,
        ContentLength: bytes,
      });
      // The SDK signs only the headers listed here.
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
      await client.send(new HeadBucketCommand({ Bucket }), limited()).catch((cause: unknown) => {
        throw new UnavailableError('storage', 'the bucket can not be reached', { cause });
      });
    },
  };
}
