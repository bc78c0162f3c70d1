import type { Message } from 'amqplib';
import { type DeadLetter, toDeadLetter } from '../dead-letter.ts';
import { EntryTable } from '../entry-table.ts';
import { placeOf } from '../error-place.ts';
import { firstLineOf } from '../filter.ts';
import { fingerprintOf } from '../fingerprint.ts';

/** A dead letter of another client's queue, in memory. */
export interface KeptLetter {
  letter: DeadLetter;
  source: string;
  fingerprint: string;
}

/** Bytes of bodies and headers that are kept. */
const maxBytes = 256 * 1024 ** 2;

/** The dead letters of other clients' queues, in memory with a position of our own for each. */
export class LetterStore {
  readonly table = new EntryTable();
  readonly #letters = new Map<number, KeptLetter>();
  #next = 0;
  #bytes = 0;

  get(offset: number): KeptLetter | undefined {
    return this.#letters.get(offset);
  }

  /** The positions of the dead letters of a queue by their fingerprints, the oldest first. */
  offsetsOf(source: string): Map<string, number[]> {
    const offsets = new Map<string, number[]>();
    for (const [offset, each] of this.#letters) {
      if (each.source !== source) continue;
      const same = offsets.get(each.fingerprint);
      if (same) same.push(offset);
      else offsets.set(each.fingerprint, [offset]);
    }
    return offsets;
  }

  /** @returns false if there is no room for it. */
  add(source: string, message: Message): boolean {
    const letter = toDeadLetter(message);
    const bytes = sizeOf(letter);
    if (this.#bytes + bytes > maxBytes) return false;
    this.#bytes += bytes;
    const offset = this.#next;
    this.#next += 1;
    this.#letters.set(offset, { letter, source, fingerprint: fingerprintOf(message) });
    const { id, queue, reason, error, lastFailedAt } = letter;
    const time = Date.parse(lastFailedAt ?? '');
    this.table.add({
      offset,
      id,
      failure: { queue, reason, error: firstLineOf(error), place: placeOf(error) },
      failedAt: Number.isNaN(time) ? undefined : time,
      bytes: letter.bytes,
    });
    return true;
  }

  remove(offset: number): void {
    const kept = this.#letters.get(offset);
    if (!kept) return;
    this.#bytes -= sizeOf(kept.letter);
    this.#letters.delete(offset);
    this.table.remove(offset, offset);
  }
}

/** Bytes in memory, about: a header has a name and a value. */
const sizeOf = ({ body, headers }: DeadLetter): number =>
  2 * body.length + 200 * (Object.keys(headers).length + 5);
