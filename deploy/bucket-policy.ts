import { PutBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3';
import rights from './storage-rights.json' with { type: 'json' };

/** By group of functions, then by action of S3's: patterns of keys. */
export type StorageRights = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/**
 * Allows the storage's accounts, which have the names of the groups of functions, exactly what serverless.yml allows the functions
 * of the group. Replaces the bucket's policy. For a storage whose policies name its own accounts, such as VersityGW.
 *
 * @returns the names of the accounts.
 * @throws S3ServiceException if an account does not exist, or the caller may not set the policy.
 */
export async function allowAccounts(
  client: S3Client,
  Bucket: string,
  allowed: StorageRights = rights,
): Promise<string[]> {
  await client.send(
    new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policyOf(Bucket, allowed)) }),
  );
  return Object.keys(allowed);
}

function policyOf(bucket: string, allowed: StorageRights) {
  const statements = Object.entries(allowed).flatMap(([account, actions]) =>
    Object.entries(actions).map(([action, patterns]) => ({
      Effect: 'Allow',
      Principal: { AWS: [account] },
      Action: [`s3:${action}`],
      ...whatOf(`arn:aws:s3:::${bucket}`, action, patterns),
    })),
  );
  return { Version: '2012-10-17', Statement: statements };
}

/** Listing is a right to the bucket, limited to prefixes; all other rights are rights to objects. */
function whatOf(bucket: string, action: string, patterns: readonly string[]) {
  if (action !== 'ListBucket') return { Resource: patterns.map((pattern) => `${bucket}/${pattern}`) };
  const isLimited = !patterns.includes('*');
  return {
    Resource: [bucket],
    ...(isLimited && { Condition: { StringLike: { 's3:prefix': patterns } } }),
  };
}
