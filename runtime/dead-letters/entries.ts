import { BrokerConnection } from '../amqp/connection.ts';
import { hasReplyCode } from '../amqp/reply-code.ts';
import { WarrenError } from '../base/errors.ts';
import { deadLetterLog } from '../topology/names.ts';
import { type DeadLetter, toDeadLetter } from './dead-letter.ts';
import { IndexFilling } from './fill-index.ts';
import { type DeadLetterFilter, matcher } from './filter.ts';
import { readMarks } from './read-marks.ts';
import { readStream, type StreamEntry } from './read-stream.ts';

/**
 * Copies of new dead letters that are moved to the index at a time, at first and at most. A reader of one page ends after the
 * first ones, however many wait.
 */
export const [firstMove, maxMove] = [500, 16_000];

/** An entry of the index of dead letters. */
export interface DeadLetterEntry {
  /** Position in the index, for `after`. */
  offset: number;
  letter: DeadLetter;
}

export interface DeadLetterEntriesOptions extends DeadLetterFilter {
  /** Offset of an entry: only later ones are read. Default: from the oldest. */
  after?: number | undefined;
  /** Entries that the broker sends ahead, default 1000; the size of the page for a reader of one page. */
  ahead?: number | undefined;
}

/**
 * Reads the index of the dead letters, oldest first, and moves the new ones there as far as the caller reads. No dead letter is
 * taken, and no delivery count changes. At most 1,000 entries are in memory at a time.
 *
 * @param url AMQP URL of the broker; the login needs the right to read `warren.dead-letters.index`, `.log` and `.done`, and to
 *   publish to the default exchange, which `replays: true` in `custom.warren.users` gives.
 * @throws NoDeadLetterIndexError if the broker has no index or the login may not read it, UnavailableError if the broker is
 *   unavailable.
 */
export async function* deadLetterEntries(
  url: string,
  { after, ahead, ...filter }: DeadLetterEntriesOptions = {},
): AsyncGenerator<DeadLetterEntry, void, undefined> {
  const matches = matcher(filter);
  const from = after === undefined ? 0 : after + 1;
  for await (const { offset, message } of readEntries(url, { from, ahead })) {
    const letter = toDeadLetter(message);
    if (matches(message, letter)) yield { offset, letter };
  }
}

interface ReadEntriesOptions {
  from?: number;
  ahead?: number | undefined;
  onGap?: (first: number, last: number) => void;
}

/**
 * Reads the entries of the index whose dead letters are not marked as gone.
 *
 * @param from lowest offset, default 0.
 * @param ahead entries that the broker sends ahead, default 1000.
 * @param onGap called with the first and the last of offsets that have no entry, because the broker forgot it or never gave it.
 */
export async function* readEntries(
  url: string,
  { from = 0, ahead, onGap }: ReadEntriesOptions = {},
): AsyncGenerator<StreamEntry, void, undefined> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters index' });
  const filling = new IndexFilling(url, connection);
  try {
    const [left, gone] = await Promise.all([filling.move(firstMove), readMarks(connection)]);
    let waiting = left;
    // The oldest dead letters are replayed first, so that most of what is gone needs no reading.
    let next = Math.max(from, gone.firstMissing);
    for (let count = firstMove; ; count = Math.min(count * 2, maxMove)) {
      for await (const { offset, message } of readStream(connection, deadLetterLog, { from: next, ahead })) {
        if (offset > next) onGap?.(next, offset - 1);
        next = offset + 1;
        if (!gone.has(offset)) yield { offset, message };
      }
      if (waiting === 0) return;
      waiting = await filling.move(count);
    }
  } catch (error) {
    throw indexError(error);
  } finally {
    await filling.close();
    await connection.close();
  }
}

/** Returns the error of a reader of the index: `NoDeadLetterIndexError` if the broker refused to read it. */
export function indexError(error: unknown): unknown {
  // 540 refuses a stream (AMQP 0-9-1, 1.1).
  const isRefused = [403, 404, 540].some((code) => hasReplyCode(error, code));
  return isRefused ? new NoDeadLetterIndexError({ cause: error }) : error;
}

/** The broker has no index of dead letters, or the login may not read it. */
export class NoDeadLetterIndexError extends WarrenError {
  override name = 'NoDeadLetterIndexError';

  constructor(options?: ErrorOptions) {
    super('ERR_TOPOLOGY', 'the broker has no index of dead letters that this login may read', options);
  }
}
