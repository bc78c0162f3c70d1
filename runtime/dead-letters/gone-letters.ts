import { BrokerConnection } from '../amqp/connection.ts';
import { deadLetterLog, deadLetterMarks } from '../topology/names.ts';
import { toDeadLetter } from './dead-letter.ts';
import { type DeadLetterEntry, indexError } from './entries.ts';
import { readAt } from './read-at.ts';
import { type Ended, endOf, rangesOf } from './read-marks.ts';
import { readStream } from './read-stream.ts';

interface Gone extends Partial<Pick<Ended, 'to' | 'by'>> {
  /** What an operator did with it; undefined if it was only found to be gone, or an earlier version marked it. */
  ending: Ended['ending'] | undefined;
  /** When it was marked, in ISO 8601. */
  goneAt: string | undefined;
}

/** An entry of the index whose dead letter is gone. */
export type GoneLetter = DeadLetterEntry & Gone;

/**
 * Lists the dead letters that were replayed, dropped or found to be gone last, the latest first. The broker forgets entries after
 * 30 days.
 *
 * @param url AMQP URL of the broker; the login needs the right to read `warren.dead-letters.log` and `.done`.
 * @param limit maximum number, which are in memory.
 * @throws NoDeadLetterIndexError if the broker has no index or the login may not read it, UnavailableError if the broker is
 *   unavailable.
 */
export async function goneLetters(url: string, limit: number): Promise<GoneLetter[]> {
  const connection = new BrokerConnection({ url, name: 'warren dead-letters index' });
  try {
    const gone = await readLast(connection, limit);
    const places = [...gone.keys()];
    const entries = await readAt(
      connection,
      deadLetterLog,
      [...places].sort((a, b) => a - b),
    );
    const found = new Map(entries.map(({ offset, message }) => [offset, toDeadLetter(message)]));
    return places.reverse().flatMap((offset) => {
      const [letter, end] = [found.get(offset), gone.get(offset)];
      return letter && end ? [{ offset, letter, ...end }] : [];
    });
  } catch (error) {
    throw indexError(error);
  } finally {
    await connection.close();
  }
}

/** Reads the last offsets of the marks, in their order. */
async function readLast(connection: BrokerConnection, limit: number): Promise<Map<number, Gone>> {
  const gone = new Map<number, Gone>();
  for await (const { message } of readStream(connection, deadLetterMarks)) {
    const { ending, at, to, by } = endOf(message);
    const goneAt = at === undefined ? undefined : new Date(at).toISOString();
    for (const [first, last] of rangesOf(message)) {
      for (let offset = Math.max(first, last - limit + 1); offset <= last; offset += 1) {
        // A later command may find the entry of a killed one, and does not know more.
        if (gone.has(offset)) continue;
        gone.set(offset, { ending, goneAt, to, by });
        const [oldest] = gone.keys();
        if (gone.size > limit && oldest !== undefined) gone.delete(oldest);
      }
    }
  }
  return gone;
}
