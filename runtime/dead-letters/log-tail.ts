import type { Message } from 'amqplib';
import type { BrokerConnection } from '../amqp/connection.ts';
import { deadLetterLog } from '../topology/names.ts';
import { fingerprintOf } from './fingerprint.ts';
import { readStream } from './read-stream.ts';

/** Entries that are read. A command has at most 500 copies in flight, and the broker delivers them before all others. */
const length = 3000;

/** The last entries of the index, in which a redelivered copy finds the entry that an interrupted command wrote for it. */
export class LogTail {
  /** Number of entries by fingerprint. */
  readonly #counts: Map<string, number>;

  private constructor(counts: Map<string, number>) {
    this.#counts = counts;
  }

  static async read(connection: BrokerConnection): Promise<LogTail> {
    const counts = new Map<string, number>();
    let last = 0;
    for await (const { offset } of readStream(connection, deadLetterLog, { from: 'last' })) {
      last = offset;
      break;
    }
    const from = Math.max(0, last - length);
    for await (const { message } of readStream(connection, deadLetterLog, { from })) {
      const fingerprint = fingerprintOf(message);
      counts.set(fingerprint, (counts.get(fingerprint) ?? 0) + 1);
    }
    return new LogTail(counts);
  }

  /** @returns whether the copy has an entry, which no other copy gets then. */
  take(copy: Message): boolean {
    const fingerprint = fingerprintOf(copy);
    const count = this.#counts.get(fingerprint) ?? 0;
    if (count > 0) this.#counts.set(fingerprint, count - 1);
    return count > 0;
  }
}
