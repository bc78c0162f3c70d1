import { UnavailableError } from '../base/errors.ts';
import type { ReceivedMessage } from './received.ts';

/** Milliseconds after which a run that has not ended is taken for one that never ends. */
const lostAfterMs = 300_000;

interface Run {
  message: ReceivedMessage;
  startedAt: number;
}

/**
 * Runs of one instance of a function. A handler that ignores its signal continues when its time is over, and its message is
 * retried: that message is not run beside itself meanwhile.
 */
export class LateRuns {
  readonly #runs = new Set<Run>();

  /** @throws UnavailableError if an earlier run of the message has not ended. */
  check(message: ReceivedMessage): void {
    if (message.attempt === 1 && !message.redelivered) return;
    const now = performance.now();
    for (const run of this.#runs) {
      if (now - run.startedAt < lostAfterMs && isSame(run.message, message)) {
        throw new UnavailableError(message.queue, 'an earlier run of the message has not ended');
      }
    }
  }

  /** Runs work on messages. */
  async during<T>(messages: readonly ReceivedMessage[], work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const runs = messages.map((message) => ({ message, startedAt }));
    for (const run of runs) this.#runs.add(run);
    try {
      return await work();
    } finally {
      for (const run of runs) this.#runs.delete(run);
    }
  }
}

/** A message without an id gets one with its first copy. */
function isSame(
  running: ReceivedMessage,
  { queue, vhost, messageId, attempt, content }: ReceivedMessage,
): boolean {
  return (
    running.queue === queue &&
    running.vhost === vhost &&
    running.attempt <= attempt &&
    (running.messageId === undefined || running.messageId === messageId) &&
    running.content.equals(content)
  );
}
