import { isPublishRefused } from '../amqp/publish-errors.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { describeError } from './failed-copy.ts';
import type { Verdict } from './failure-policy.ts';
import type { ReceivedMessage } from './received.ts';
import type { BatchResult, ItemFailure } from './verdicts.ts';

/** One call of a function for a batch: it takes the verdicts of failed messages and ends with the function's result. */
export interface Call {
  /** By `performance.now`. */
  startedAt: number;
  /** Whether a message needs no call, because an earlier call has done it. Throws if that is not certain yet. */
  knows(message: ReceivedMessage): false | Promise<boolean>;
  done(message: ReceivedMessage): void;
  report(message: ReceivedMessage, failure: { verdict: Verdict; error: unknown }): Promise<void>;
  /** Takes an error that left a message neither done nor reported. */
  stuck: (error: unknown) => void;
  /**
   * The result of the function.
   *
   * @param count number of messages in the batch.
   * @throws if a message is stuck.
   */
  end(count: number): BatchResult | undefined;
}

/** A call by a host that makes the copies itself. A class, because its functions would be objects of each call. */
export class VerdictCall implements Call {
  readonly startedAt = performance.now();
  readonly #messages: readonly ReceivedMessage[];
  readonly #failures: ItemFailure[] = [];
  #stuck: unknown[] | undefined;

  constructor(messages: readonly ReceivedMessage[]) {
    this.#messages = messages;
  }

  knows(): false {
    return false;
  }

  done(): void {
    // A message without a verdict is done.
  }

  async report(
    message: ReceivedMessage,
    { verdict, error }: { verdict: Verdict; error: unknown },
  ): Promise<void> {
    const itemIdentifier = String(this.#messages.indexOf(message));
    const fault = !isUnavailable(error);
    this.#failures.push({ itemIdentifier, verdict, error: describeError(error), fault });
  }

  readonly stuck = (error: unknown): void => {
    this.#stuck ??= [];
    this.#stuck.push(error);
  };

  end(count: number): BatchResult {
    if (this.#stuck) throwStuck(this.#stuck, count);
    return { batchItemFailures: this.#failures };
  }
}

/** @throws if messages are stuck: the batch has to come again. */
export function throwStuck(stuck: readonly unknown[], count: number): void {
  if (stuck.length === 0) return;
  const text = `${stuck.length} of ${count} messages could be neither finished nor republished`;
  const guilty = stuck.find(isMessageFault);
  if (guilty !== undefined) throw new WarrenError('ERR_COPY_FAILED', text, { cause: guilty });
  throw new UnavailableError('broker', text, { cause: stuck[0] });
}

/** Whether the published message caused an error, and not the broker or its setup. */
export function isMessageFault(error: unknown): boolean {
  if (!isPublishRefused(error)) return !(error instanceof WarrenError);
  // The exchange is missing, or we have no right to it.
  return error.replyCode !== 403 && error.replyCode !== 404;
}
