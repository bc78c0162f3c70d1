import { UnavailableError } from '../base/errors.ts';
import { type Listed, OpenList } from '../base/open-list.ts';
import type { ReceivedMessage } from './received.ts';

/** Milliseconds after which a run that has not ended is taken for one that never ends. */
const lostAfterMs = 300_000;

interface Run extends Listed {
  message: ReceivedMessage;
  startedAt: number;
}

/**
 * Runs of one instance of a function. A handler that ignores its signal continues when its time is over, and its message is
 * retried: that message is not run beside itself meanwhile.
 */
export class LateRuns {
  readonly #runs = new OpenList<Run>();

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

  /** Takes note of a run that begins. @returns what `end` takes. */
  begin(message: ReceivedMessage): Run {
    const run: Run = { message, startedAt: performance.now() };
    this.#runs.add(run);
    return run;
  }

  end(run: Run): void {
    this.#runs.delete(run);
  }

  /** Runs work on messages. */
  async during<T>(messages: readonly ReceivedMessage[], work: () => Promise<T>): Promise<T> {
    const runs = messages.map((message) => this.begin(message));
    try {
      return await work();
    } finally {
      for (const run of runs) this.end(run);
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
