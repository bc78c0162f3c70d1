import type { BrokerConnection } from '../amqp/connection.ts';
import { deadLetterLog } from '../topology/names.ts';
import { hasText, toDeadLetter } from './dead-letter.ts';
import type { DeadLetterEntry } from './entries.ts';
import { readStream } from './read-stream.ts';

export interface SearchOptions {
  /** Only dead letters behind this offset. */
  after?: number | undefined;
  /** Called with the offset of each dead letter that was searched. */
  progress?: (offset: number) => void;
  /** Ends the search. */
  signal?: AbortSignal;
}

/**
 * Reads entries of the index and finds those with a text.
 *
 * @param offsets of the entries, in their order.
 * @throws as `readStream`.
 */
export async function* searchLog(
  connection: BrokerConnection,
  text: string,
  offsets: Iterable<number>,
  { progress, signal }: SearchOptions,
): AsyncGenerator<DeadLetterEntry, void, undefined> {
  const meant = new Set(offsets);
  const [from] = meant;
  if (from === undefined) return;
  for await (const { offset, message } of readStream(connection, deadLetterLog, { from })) {
    if (signal?.aborted) return;
    if (!meant.delete(offset)) continue;
    const letter = toDeadLetter(message);
    progress?.(offset);
    if (hasText(letter, text)) yield { offset, letter };
    if (meant.size === 0) return;
  }
}
