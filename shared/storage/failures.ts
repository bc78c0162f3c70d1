import { NoSuchKey, NotFound, S3ServiceException } from '@aws-sdk/client-s3';
import { isNetworkError, RejectedError, UnavailableError } from 'warren/functions';

/**
 * Codes of S3's answers with status 400 that are about the request itself. Others are about temporary credentials that have
 * expired, a clock or a region that differs, or a body that a connection damaged; the answer to a HEAD has no code.
 */
const requestIsWrong = new Set([
  'InvalidArgument',
  'InvalidRequest',
  'InvalidURI',
  'EntityTooLarge',
  'EntityTooSmall',
  'MalformedXML',
]);

/**
 * Throws what a failed request to the storage means for its caller.
 *
 * @throws RejectedError if no object can have this key; UnavailableError if the storage cannot be reached, does not answer in
 *   time, is overloaded, or refuses our credentials, region or bucket: waiting or an operator heals that. Any other error as it
 *   is.
 */
export function fail(error: unknown): never {
  if (error instanceof S3ServiceException && error.name === 'KeyTooLongError') {
    throw new RejectedError('expected a key of at most 1024 bytes', { cause: error });
  }
  const reason = reasonOf(error);
  if (reason === undefined) throw error;
  throw new UnavailableError('storage', reason, { cause: error });
}

/** Returns undefined if the error means that there is no such object; throws as `fail` does otherwise. */
export function unlessMissing(error: unknown): undefined {
  if (error instanceof NoSuchKey || error instanceof NotFound) return undefined;
  return fail(error);
}

/** Why the storage is unavailable, for an operator; undefined if the error does not mean that. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name } = error;
  if (name.endsWith('ProviderError')) return `there are no credentials for the storage (${name})`;
  const status = statusOf(error);
  if (status === undefined) {
    return isNetworkError(error) || isTimeLimit(error) ? 'the storage does not answer' : undefined;
  }
  if (!(error instanceof S3ServiceException)) return `expected an answer of S3, got status ${status}`;
  const answer = `${name}, status ${status}`;
  if (status === 400 && requestIsWrong.has(name)) return undefined;
  if (status === 413 || status === 414 || status === 416) return undefined;
  if (status >= 500 || status === 429) return `the storage is overloaded or fails (${answer})`;
  if (name === 'NoSuchBucket') return 'S3_BUCKET: there is no such bucket';
  return `the storage refuses access (${answer}): check the access key, the clock, AWS_REGION and S3_ENDPOINT`;
}

/** The status of an answer, also of a proxy's page that is not XML; undefined if there was no answer. */
function statusOf(error: Error): number | undefined {
  if (!('$metadata' in error)) return undefined;
  const { httpStatusCode } = error.$metadata as S3ServiceException['$metadata'];
  // Errors within an answer of status 200, and retries that the SDK gave up on, may have none.
  return httpStatusCode === undefined || httpStatusCode < 300 ? 500 : httpStatusCode;
}

/** Whether one of the limits has passed: the SDK's, or that of a request. */
function isTimeLimit({ name }: Error): boolean {
  return name === 'TimeoutError' || name === 'AbortError';
}
