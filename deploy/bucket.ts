import {
  CreateBucketCommand,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';

/**
 * Makes the bucket, and lets a page of any origin put an object to a signed address, and read renditions: the signature is
 * what is checked, and the pages' address may be any. A bucket that is there, and the rules that it has, stay as they are.
 */
export async function makeBucket(client: S3Client, Bucket: string): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket })).catch((error: unknown) => {
    const there = error instanceof S3ServiceException && error.$metadata.httpStatusCode === 409;
    if (!there) throw error;
  });
  const present = await client.send(new GetBucketCorsCommand({ Bucket })).catch(unlessNone);
  if (present === 'not known' || (present?.CORSRules?.length ?? 0) > 0) return;
  const rule = { AllowedOrigins: ['*'], AllowedMethods: ['PUT', 'GET'], AllowedHeaders: ['*'] };
  const CORSConfiguration = { CORSRules: [{ ...rule, ExposeHeaders: ['ETag'], MaxAgeSeconds: 3600 }] };
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration })).catch(unlessNone);
}

/** Some servers have no such rules for each bucket, and allow every origin by themselves. */
function unlessNone(error: unknown): 'not known' | undefined {
  if (!(error instanceof S3ServiceException)) throw error;
  if (error.name === 'NotImplemented' || error.$metadata.httpStatusCode === 501) return 'not known';
  if (error.$metadata.httpStatusCode === 404) return undefined;
  throw error;
}
