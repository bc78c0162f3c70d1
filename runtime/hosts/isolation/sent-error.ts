import { askedSeconds } from '../../base/asked-pause.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import { RejectedError, RetryLaterError, UnavailableError } from '../../base/errors.ts';
import { thrownText } from '../../base/thrown-text.ts';
import { isUnavailable } from '../../base/unavailable.ts';

/** An error as one process sends it to the other, with what the failure policy needs. Its class stays behind. */
interface SentFields {
  name: string;
  message: string;
  stack: string | undefined;
  code: string | undefined;
  /** The broker's reason for a publish that it refused. */
  replyCode: number | undefined;
  /** Seconds that it, or a cause of it, asks for by a `RetryLaterError`. */
  seconds: number | undefined;
  /** Whether it, or a cause of it, means that a dependency is unavailable. */
  isUnavailable: boolean;
}

export interface SentError extends SentFields {
  /** The error that the function threw, if this one reports its failure. */
  cause: SentFields | undefined;
}

export function toSent(thrown: unknown): SentError {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return { ...fieldsOf(thrown), cause: cause === undefined ? undefined : fieldsOf(cause) };
}

function fieldsOf(thrown: unknown): SentFields {
  const error = thrown instanceof Error ? thrown : new Error(thrownText(thrown));
  const { name, message, stack, code, replyCode } = error as Error &
    Partial<Record<'code' | 'replyCode', unknown>>;
  // Only texts and numbers are certain to survive the way.
  return {
    name: thrownText(name),
    message: thrownText(message),
    stack: typeof stack === 'string' ? stack : undefined,
    code: typeof code === 'string' ? code : undefined,
    replyCode: typeof replyCode === 'number' ? replyCode : undefined,
    seconds: askedSeconds(error),
    isUnavailable: isUnavailable(error),
  };
}

/** The error with the stack of the other process. The failure policy decides about it as it would there. */
export function fromSent(sent: SentFields): Error {
  const error = errorOf(sent);
  const { seconds, message } = sent;
  if (seconds !== undefined && askedSeconds(error) === undefined)
    error.cause = new RetryLaterError(seconds, message);
  else if (sent.isUnavailable && !isUnavailable(error))
    error.cause = new UnavailableError('function', message);
  if (sent.stack !== undefined) error.stack = sent.stack;
  return error;
}

function errorOf({ name, message, code, replyCode, seconds }: SentFields): Error {
  if (code === ('ERR_REJECTED' satisfies ErrorCode)) return new RejectedError(message);
  if (code === ('ERR_RETRY_LATER' satisfies ErrorCode)) return new RetryLaterError(seconds ?? 0, message);
  const fields = { ...(code !== undefined && { code }), ...(replyCode !== undefined && { replyCode }) };
  return Object.assign(new Error(message), { name }, fields);
}
