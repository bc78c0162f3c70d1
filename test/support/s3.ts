import { S3 } from '@aws-sdk/client-s3';
import { stack } from './stack.ts';

const { S3_ENDPOINT: endpoint } = stack;
const credentials = { accessKeyId: stack.AWS_ACCESS_KEY_ID, secretAccessKey: stack.AWS_SECRET_ACCESS_KEY };

/** A client of the test's storage. The SDK's default checksums break storages other than AWS S3. */
export const testS3 = (given: object = {}): S3 =>
  new S3({
    endpoint,
    credentials,
    forcePathStyle: true,
    region: 'us-east-1',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...given,
  });
