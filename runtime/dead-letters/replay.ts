import type { Message } from 'amqplib';
import pLimit from 'p-limit';
import { Publisher } from '../amqp/publisher.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { DeadLetterKey } from './dead-letters.ts';
import type { DeadLetterFilter } from './filter.ts';
import { isMessageRefused } from './message-refused.ts';
import { putBack } from './put-back.ts';
import { type Progress, type Taking, takeEach } from './take.ts';

/** A dead letter that could not be put back. */
export interface Stayed extends DeadLetterKey {
  /** Why it cannot be published; undefined if its queue no longer exists. */
  problem?: string;
}

export interface Replay {
  replayed: DeadLetterKey[];
  stayed: Stayed[];
}

export interface ReplayOptions extends Pick<Taking, 'only' | 'handled' | 'signal' | 'source'> {
  progress?: Progress;
  /** Maximum number of dead letters to put back, default all. Those that stay do not count. */
  limit?: number | undefined;
  /** Queue for all of them, default the queue in which each failed. */
  to?: string | undefined;
  /** Whether the next is published only when the one before has left the dead letters; default false. */
  oneAtATime?: boolean | undefined;
  /** User of the board, for the list of what is gone. */
  by?: string | undefined;
}

/**
 * Puts dead letters back into their queues and resets their attempts. Each is published and confirmed before it leaves the dead
 * letters: a crash loses none and duplicates at most the 100 in flight, or the one with `oneAtATime`. Dead letters that arrive meanwhile are skipped, so that
 * one that fails at once is not replayed forever.
 *
 * @returns the dead letters that were put back, and those that stay because their queue no longer exists or because they cannot
 *   be published.
 * @throws UnavailableError with the number of those that were put back if the broker becomes unavailable; the rest stays.
 */
export async function replayDeadLetters(
  url: string,
  filter: DeadLetterFilter = {},
  { progress, limit, to, oneAtATime, by, ...selection }: ReplayOptions = {},
): Promise<Replay> {
  const publisher = new Publisher({ url, name: 'warren dead-letters replay', tries: 1 });
  const result: Replay = { replayed: [], stayed: [] };
  const gone = new Set<string>();
  const oneAlone = pLimit(1);
  const alone = (message: Message, letter: DeadLetter) =>
    oneAlone(async () => {
      // Its own connection: a refusal ends the channel with all messages on it.
      const single = new Publisher({ url, name: 'warren dead-letters replay', tries: 1 });
      try {
        return await putBack(single, message, letter, to);
      } finally {
        await single.close();
      }
    });
  const publish = async (message: Message, letter: DeadLetter): Promise<boolean> => {
    try {
      return await putBack(publisher, message, letter, to);
    } catch (error) {
      // One message was refused, and the broker does not report which.
      if (isMessageRefused(error)) return alone(message, letter);
      throw error;
    }
  };
  try {
    await takeEach(
      url,
      {
        filter,
        progress,
        limit,
        inFlight: oneAtATime ? 1 : undefined,
        isCopied: true,
        ended: { ending: 'replayed', to, by },
        ...selection,
      },
      async (message, letter) => {
        const { id, queue, reason } = letter;
        const target = to ?? queue;
        try {
          if (!gone.has(target) && (await publish(message, letter))) {
            result.replayed.push({ id, queue, reason });
            return 'remove';
          }
          gone.add(target);
          result.stayed.push({ id, queue, reason });
        } catch (error) {
          result.stayed.push({ id, queue, reason, problem: problemOf(error) });
        }
        return 'keep';
      },
    );
  } catch (cause) {
    const { length } = result.replayed;
    if (length === 0 || !(cause instanceof UnavailableError)) throw cause;
    const text = `${cause.message}; put back ${length} before that, the rest is still there`;
    throw new UnavailableError('broker', text, { cause });
  } finally {
    await publisher.close();
  }
  return result;
}

/** @throws the error if it is not about the message itself, such as amqplib's RangeError for more than 64 KiB of headers. */
function problemOf(error: unknown): string {
  const refused = isMessageRefused(error);
  if (!(error instanceof Error) || (error instanceof WarrenError && !refused)) throw error;
  return error.message;
}
