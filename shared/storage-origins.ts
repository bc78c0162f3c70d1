import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Config } from './config.ts';
import { createS3Client } from './storage.ts';

/** Where a browser meets the storage, as origins (RFC 6454). */
export interface StorageOrigins {
  /** Of the renditions' URLs. */
  read: string;
  /** Of presigned uploads. */
  write: string;
}

/** Tells the origins, which depend on the storage: AWS's own has one for each bucket. Asks nobody. */
export async function storageOrigins(config: Config<'storage'>['storage']): Promise<StorageOrigins> {
  const { S3_BUCKET: Bucket, S3_PUBLIC_URL } = config;
  const client = createS3Client(config);
  const object = { Bucket, Key: 'any' };
  const [read, write] = await Promise.all([
    S3_PUBLIC_URL ?? getSignedUrl(client, new GetObjectCommand(object)),
    getSignedUrl(client, new PutObjectCommand(object)),
  ]);
  return { read: new URL(read).origin, write: new URL(write).origin };
}
