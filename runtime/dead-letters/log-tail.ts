import type { Message } from 'amqplib';
import pLimit from 'p-limit';
import type { BrokerConnection } from '../amqp/connection.ts';
import { deadLetterLog } from '../topology/names.ts';
import { fingerprintOf } from './fingerprint.ts';
import { readStream } from './read-stream.ts';

/** Entries that are read. A command has at most 500 copies in flight, and the broker delivers them before all others. */
const length = 3000;

/** The last entries of the index, in which a copy finds the entry that was written for it and not confirmed. */
export class LogTail {
  readonly #connection: BrokerConnection;
  readonly #oneRead = pLimit(1);
  /** The read that has not begun yet, which all share that wait for it. */
  #next: Promise<Map<string, number>> | undefined;
  /** Number of entries by fingerprint that copies have found. */
  readonly #taken = new Map<string, number>();

  constructor(connection: BrokerConnection) {
    this.#connection = connection;
  }

  /**
   * Reads the end of the index: another command may have been killed since an earlier read.
   *
   * @returns whether the copy has an entry, which no other copy gets then.
   * @throws as `readStream`.
   */
  async take(copy: Message): Promise<boolean> {
    const fingerprint = fingerprintOf(copy);
    const counts = await this.#read();
    const taken = this.#taken.get(fingerprint) ?? 0;
    if ((counts.get(fingerprint) ?? 0) <= taken) return false;
    this.#taken.set(fingerprint, taken + 1);
    return true;
  }

  #read(): Promise<Map<string, number>> {
    this.#next ??= this.#oneRead(() => {
      this.#next = undefined;
      return readCounts(this.#connection);
    });
    return this.#next;
  }
}

/** @returns the number of entries by fingerprint. */
async function readCounts(connection: BrokerConnection): Promise<Map<string, number>> {
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
  return counts;
}
