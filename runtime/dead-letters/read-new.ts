import type { BrokerConnection } from '../amqp/connection.ts';
import { fingerprintOf } from './fingerprint.ts';
import { readStream, type StreamEntry } from './read-stream.ts';

/** The last message of a stream that was read. */
export interface LastRead {
  offset: number;
  fingerprint: string;
}

export const lastReadOf = ({ offset, message }: StreamEntry): LastRead => ({
  offset,
  fingerprint: fingerprintOf(message),
});

/** The stream is not the one that was read before: it was deleted and declared again. */
export class OtherStreamError extends Error {
  override name = 'OtherStreamError';
}

/**
 * Reads the messages of a stream behind the last one that was read. It reads that one again, because the offsets of a new stream
 * begin with 0 again.
 *
 * @param from offset of the first message if `last` is undefined.
 * @throws OtherStreamError if the last message is another one or missing; as `readStream`.
 */
export async function* readNew(
  connection: BrokerConnection,
  name: string,
  last: LastRead | undefined,
  from = 0,
): AsyncGenerator<StreamEntry, void, undefined> {
  let isKnown = last === undefined;
  for await (const entry of readStream(connection, name, { from: last?.offset ?? from })) {
    if (isKnown) yield entry;
    else if (entry.offset !== last?.offset || lastReadOf(entry).fingerprint !== last.fingerprint) {
      throw new OtherStreamError();
    }
    isKnown = true;
  }
  if (!isKnown) throw new OtherStreamError();
}

/** Returns the offset of the oldest message that the broker has not forgotten; undefined if the stream is empty. */
export async function firstOffset(connection: BrokerConnection, name: string): Promise<number | undefined> {
  for await (const { offset } of readStream(connection, name, { ahead: 1 })) return offset;
  return undefined;
}
