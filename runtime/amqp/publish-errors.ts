import { UnavailableError } from '../base/errors.ts';

/**
 * The broker closed the channel or its connection because of a message on it. The broker does not report which message, but
 * on the second try of a publisher it is this one, because it has a connection of its own then.
 */
export class PublishRefusedError extends UnavailableError {
  override name = 'PublishRefusedError';
  override readonly code = 'ERR_PUBLISH_REFUSED';
  /** The broker's reason (AMQP 0-9-1, 1.1). */
  readonly replyCode: number | undefined;

  constructor(cause: Error & { code?: unknown }) {
    super('broker', `the broker refused what was published: ${cause.message}`, { cause });
    this.replyCode = typeof cause.code === 'number' ? cause.code : undefined;
  }
}

/** Whether the broker refused a publish. */
export function isPublishRefused(error: unknown): error is PublishRefusedError {
  return error instanceof UnavailableError && error.code === 'ERR_PUBLISH_REFUSED';
}

/** The broker answers, but did not confirm a message in the time that it had. It may have the message. */
export class LateConfirmError extends UnavailableError {
  override name = 'LateConfirmError';

  constructor() {
    super('broker', 'the broker answers, but did not confirm the message in time');
  }
}

/** Whether a message that failed may be published once more: the broker is unavailable, and does not merely confirm late. */
export const isRepeatable = (error: unknown): boolean =>
  error instanceof UnavailableError && !(error instanceof LateConfirmError);

/** The error for a broker that does not answer in time. */
export function noAnswer(ms: number): UnavailableError {
  return new UnavailableError('broker', `no answer from the broker within ${Math.round(ms)} ms`);
}
